"""The imports of a plugin file: a decorator for each kind, types of arguments and results, and `Ask`.

A plugin is a function or, if it keeps state between calls, a dataclass. A mutation, crossover or selection may be
either. Its keyword-only parameters, with their types
and defaults, are its schema in YAML::

    from fooldeap.plugin import Annotated, Gt, Le, mutation

    @mutation("darken", genome="pixels")
    def darken(images, rng, *, amount: Annotated[float, Gt(0), Le(1)] = 0.1):
        \"\"\"Darken every image by a random share of at most ``amount``.\"\"\"
        factors = 1 - amount * rng.random((len(images), 1, 1, 1))
        return (images * factors).astype(images.dtype)

A batch of genomes is an ndarray with individuals along its first axis, or a list. Randomness comes only from ``rng``, a
``numpy.random.Generator``.
"""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, is_dataclass
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Interval, Le, Len, Lt

from fooldeap.contracts import (
    Array,
    Ask,
    Batch,
    BestYet,
    Classifier,
    Code,
    Command,
    Dataset,
    Directory,
    Evolution,
    Executor,
    File,
    Genome,
    Images,
    Mutations,
    Names,
    Offspring,
    Population,
    Predictions,
    Reply,
    Reporter,
    Rng,
    Split,
    StartImages,
    Toolbox,
)
from fooldeap.errors import InputError
from fooldeap.parameters import Parameter, parameters_of
from fooldeap.results import ExperimentInfo, LogRow, Result, RunInfo, RunResult

__all__ = [
    "KINDS",
    "KW_ONLY",
    "Annotated",
    "Array",
    "Ask",
    "Batch",
    "BestYet",
    "Classifier",
    "Code",
    "Command",
    "Dataset",
    "Directory",
    "Evolution",
    "Executor",
    "ExperimentInfo",
    "File",
    "Ge",
    "Genome",
    "Gt",
    "Images",
    "InputError",
    "Interval",
    "Kind",
    "Le",
    "Len",
    "LogRow",
    "Lt",
    "Mutations",
    "Names",
    "Offspring",
    "Plugin",
    "Population",
    "Predictions",
    "Reply",
    "Reporter",
    "Result",
    "Rng",
    "RunInfo",
    "RunResult",
    "Split",
    "StartImages",
    "Toolbox",
    "algorithm",
    "classifier",
    "crossover",
    "dataclass",
    "dataset",
    "executor",
    "field",
    "fitness",
    "genome",
    "mutation",
    "reporter",
    "selection",
    "statistic",
]

Target = TypeVar("Target", bound=Callable[..., Any])


# --- What a plugin is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of plugin: its results, and the arguments that it is ``given`` before its parameters.

    It is a function or, if it has ``methods``, a dataclass that is created with these arguments. A ``generational``
    kind is called in every generation, and its numbers may follow schedules. ``feedback`` are further arguments, which
    it is given if its signature names them.
    """

    name: str
    gives: str
    given: tuple[str, ...] = ()
    methods: str = ""
    generational: bool = False
    feedback: tuple[str, ...] = ()

    @property
    def stateful(self) -> bool:
        """Whether it is a dataclass."""
        return bool(self.methods)

    @property
    def call(self) -> str:
        """How it is called."""
        return self.methods or f"f({', '.join(self.given)})"


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "genome",
            "sample: genomes; decode: their images, uint8; take: copies of genomes",
            ("shape",),
            "sample(count, rng), decode(genomes), take(genomes, indices)",
        ),
        Kind(
            "fitness",
            "the fitness of each image, float64 (n,) or (n, k); larger is better",
            ("predictions", "target"),
            generational=True,
        ),
        Kind(
            "mutation",
            "the mutated genomes, as many as were passed",
            ("genomes", "rng"),
            generational=True,
            feedback=("parent_fitness", "offspring", "population", "generation"),
        ),
        Kind(
            "crossover",
            "two batches of children, each of the size of first",
            ("first", "second", "rng"),
            generational=True,
            feedback=("parent_fitness", "offspring", "population", "generation"),
        ),
        Kind(
            "selection",
            "the indices of count selected individuals",
            ("fitness", "count", "rng"),
            generational=True,
            feedback=("genomes", "generation"),
        ),
        Kind("statistic", "a number, which is written to log.csv", ("genomes", "fitness")),
        Kind("algorithm", "batches of genomes, with yield; it receives a Reply to each", ("toolbox", "rng")),
        Kind(
            "classifier",
            "logits: the score of each class, float32 (n, classes)",
            methods="input_shape, classes, digest, logits(images)",
        ),
        Kind("dataset", "a Split, which holds images and labels", methods="load()"),
        Kind("executor", "the results, in the order of the items", methods="map(function, items)"),
        Kind("reporter", "nothing", methods="on_start, on_run_start, on_generation, on_run_end, on_finish, on_abort"),
    )
}


OPERATORS = ("mutation", "crossover", "selection")
FITNESS_FEEDBACK = frozenset({"parent_fitness", "offspring", "population"})  # needs one fitness for each image


@dataclass(frozen=True)
class Plugin:
    """A named plugin of some kind, as declared by its decorator."""

    kind: str
    name: str
    target: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    options: Mapping[str, Any]
    feedback: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.target) or "").partition("\n")[0]

    @property
    def source(self) -> str:
        """The file that defines the plugin, for messages."""
        code = inspect.unwrap(self.target)
        try:
            return inspect.getsourcefile(code) or "?"
        except TypeError:
            return "?"

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    def build(self, values: Mapping[str, Any], *given: Any) -> Any:
        """Return the plugin ready for calls: a function with its parameters bound, or a new instance.

        ``given`` are the arguments of a stateful kind before its parameters (for a genome, the image shape).
        """
        if isinstance(self.target, type):
            return self.target(*given, **values)
        return functools.partial(self.target, **values)


def _declare(kind: str, name: str, **options: Any) -> Callable[[Target], Target]:
    """Return a decorator that marks its target as a plugin and does not change it otherwise."""

    def mark(target: Target) -> Target:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise InputError(f"{kind} {name!r}: invalid name; use letters, digits, '_' and '-', first a letter")
        is_class = isinstance(target, type)
        if (is_class or KINDS[kind].stateful) and not is_dataclass(target):
            raise InputError(f"{kind} {name!r}: expected a dataclass; put @dataclass under the decorator")
        try:
            parameters = parameters_of(target)
            if is_class and not KINDS[kind].stateful:
                feedback = _check_class(KINDS[kind], target)
            else:
                feedback = _check_given(KINDS[kind], target)
        except InputError as error:
            raise InputError(f"{kind} {name!r}: {error}") from None
        plugin = Plugin(kind, name, target, parameters, options, feedback)
        target.__fooldeap_plugin__ = plugin  # type: ignore[attr-defined]
        return target

    return mark


def _check_class(kind: Kind, target: Any) -> tuple[str, ...]:
    """Check a dataclass of a kind that is called like a function, and return the feedback that it asks for."""
    if kind.name not in OPERATORS:
        raise InputError(f"is a class, expected a function; only {', '.join(OPERATORS)} may be dataclasses with state")
    if "__call__" not in dir(target):
        raise InputError(f"has no method __call__; write 'def __call__(self, {', '.join(kind.given)}):'")
    every = inspect.signature(target).parameters.values()
    other = [each.name for each in every if each.kind is not each.KEYWORD_ONLY]
    if other:
        raise InputError(f"takes the fields ({', '.join(other)}); put '_: KW_ONLY' above its parameters")
    call = functools.partial(target.__call__, None)  # without self
    named = [each.name for each in inspect.signature(call).parameters.values() if each.kind is each.KEYWORD_ONLY]
    if named:
        raise InputError(f"__call__ takes the parameter {named[0]!r}; make it a field of the dataclass")
    return _check_given(kind, call)


def _check_given(kind: Kind, target: Callable[..., Any]) -> tuple[str, ...]:
    """Return the feedback that a plugin asks for. Raise `InputError` if it does not take the arguments of its kind."""
    every = inspect.signature(target).parameters.values()
    taken = [each.name for each in every if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    more = tuple(taken[len(kind.given) :])
    if any(each.kind is each.VAR_POSITIONAL for each in every):
        return ()
    if len(taken) >= len(kind.given) and set(more) <= set(kind.feedback):
        return more
    noun, mark = ("fields", "'_: KW_ONLY' above") if kind.stateful else ("arguments", "'*' before")
    cure = f"; put {mark} its parameters" if more else ""
    also = f" and, if needed, {', '.join(kind.feedback)}" if kind.feedback else ""
    raise InputError(f"takes the {noun} ({', '.join(taken)}), expected ({', '.join(kind.given)}){also}{cure}")


def plugin_of(target: Any) -> Plugin | None:
    """Return the declaration of a decorated function or class, or None. Base classes are ignored."""
    declared = getattr(target, "__dict__", {}).get("__fooldeap_plugin__")
    return declared if isinstance(declared, Plugin) else None


# --- The decorators -------------------------------------------------------------------------------------------------


def genome(name: str) -> Callable[[Target], Target]:
    """Declare a genome, see `Genome`. Its first field is the image shape of the classifier."""
    return _declare("genome", name)


def fitness(name: str, *, objectives: tuple[str, ...] = ("fitness",)) -> Callable[[Target], Target]:
    """Declare a fitness ``f(predictions, target)`` that returns (n,) or (n, k) float64; larger is better.

    ``objectives`` are the names of the k columns in tables and figures.
    """
    return _declare("fitness", name, objectives=objectives)


def mutation(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a mutation ``f(genomes, rng)``. It may modify its batch, and returns equally many genomes.

    ``genome`` names the genomes that it works on, one or several, by name or by dtype. The dtype "uint8" means genomes
    with grey values, "bool" genomes with bits, and "float64" genomes with unbounded real numbers. None: all genomes
    whose batches are arrays. "any": all genomes, including those whose batches are lists.
    """
    return _declare("mutation", name, genome=genome)


def crossover(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a crossover ``f(first, second, rng)``: two batches of parents in, two batches of children out.

    It may modify its batches. ``genome`` is as for `mutation`.
    """
    return _declare("crossover", name, genome=genome)


def selection(
    name: str, *, objectives: Literal["one", "any"] = "one", genome: str | tuple[str, ...] | None = "any"
) -> Callable[[Target], Target]:
    """Declare a selection ``f(fitness, count, rng)`` that returns ``count`` indices into the population.

    The fitness is finite, (n,) float64; with ``objectives="any"`` also (n, k). ``genome`` is as for `mutation`, for a
    selection that asks for ``genomes``.
    """
    return _declare("selection", name, objectives=objectives, genome=genome)


def algorithm(
    name: str,
    *,
    targets: Literal["one", "all"] = "one",
    uses: tuple[str, ...] = OPERATORS,
    objectives: Literal["one", "any"] = "one",
) -> Callable[[Target], Target]:
    """Declare an algorithm, a generator function ``f(toolbox, rng)`` that yields genomes and receives a `Reply`.

    ``targets="one"``: one run for each target; ``"all"``: one run for all targets together (``toolbox.targets``).
    ``uses`` are the kinds of operators that it calls. Other operators are not in its toolbox and need not fit the
    genome. ``objectives="any"``: it accepts a fitness (n, k) of several objectives.
    """
    return _declare("algorithm", name, targets=targets, uses=uses, objectives=objectives)


def classifier(name: str, *, suffixes: tuple[str, ...] = ()) -> Callable[[Target], Target]:
    """Declare a classifier, see `Classifier`.

    ``suffixes`` are the suffixes of its model files, such as ``(".onnx",)``. ``fooldeap audit`` uses them to find the
    classifier for a file, and ``fooldeap_plugins.classifier`` to suggest another classifier.
    """
    return _declare("classifier", name, suffixes=suffixes)


def statistic(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a statistic ``f(genomes, fitness)`` of one generation, a number that gets a column in ``log.csv``.

    It receives the genomes of the generation, and their fitness for one target, float64 (n,) or (n, k). It must not
    modify them. ``genome`` is as for `mutation`.
    """
    if name in LogRow.names():
        raise InputError(f"statistic {name!r}: log.csv has a column of this name already; choose another name")
    return _declare("statistic", name, genome=genome)


def dataset(name: str) -> Callable[[Target], Target]:
    """Declare a dataset, see `Dataset`."""
    return _declare("dataset", name)


def executor(name: str) -> Callable[[Target], Target]:
    """Declare an executor, see `Executor`."""
    return _declare("executor", name)


def reporter(name: str) -> Callable[[Target], Target]:
    """Declare a reporter, see `Reporter`."""
    return _declare("reporter", name)
