"""All that a plugin file imports: a decorator for each kind, the types of their calls, and what algorithms yield.

A plugin is a function or, where it keeps something between calls, a dataclass. Its keyword-only parameters, with
their types and defaults, are its schema in YAML::

    from fooldeap.plugin import Annotated, Gt, Le, mutation

    @mutation("darken", genome="pixels")
    def darken(images, rng, *, amount: Annotated[float, Gt(0), Le(1)] = 0.1):
        \"\"\"Darken every image by a random share of at most ``amount``.\"\"\"
        factors = 1 - amount * rng.random((len(images), 1, 1, 1))
        return (images * factors).astype(images.dtype)

A batch of genomes is an ndarray whose leading axis counts individuals, or a list. Randomness comes from ``rng``, a
``numpy.random.Generator``, alone.
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
    Predictions,
    Reply,
    Reporter,
    Rng,
    Split,
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
    "Plugin",
    "Predictions",
    "Reply",
    "Reporter",
    "Result",
    "Rng",
    "RunInfo",
    "RunResult",
    "Split",
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
]

Target = TypeVar("Target", bound=Callable[..., Any])


# --- What a plugin is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of plugin: what it gives, and what it is ``given`` before its parameters.

    It is a function, or, where it has ``methods``, a dataclass, which is made with what it is given. One that is
    ``generational`` is called in every generation, and its numbers may follow schedules.
    """

    name: str
    gives: str
    given: tuple[str, ...] = ()
    methods: str = ""
    generational: bool = False

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
            "genomes; uint8 images; copies",
            ("shape",),
            "sample(count, rng), decode(genomes), take(genomes, indices)",
        ),
        Kind("fitness", "float64 (n,) or (n, k), larger is better", ("predictions", "target"), generational=True),
        Kind("mutation", "as many genomes", ("genomes", "rng"), generational=True),
        Kind("crossover", "two batches of children", ("first", "second", "rng"), generational=True),
        Kind("selection", "count indices into the population", ("fitness", "count", "rng"), generational=True),
        Kind("algorithm", "yields genomes, receives a Reply", ("toolbox", "rng")),
        Kind("classifier", "float32 (n, classes)", methods="input_shape, classes, digest, logits(images)"),
        Kind("dataset", "a Split of images and labels", methods="load()"),
        Kind("executor", "results in order", methods="map(function, items)"),
        Kind("reporter", "–", methods="on_start, on_run_start, on_generation, on_run_end, on_finish, on_abort"),
    )
}


OPERATORS = ("mutation", "crossover", "selection")


@dataclass(frozen=True)
class Plugin:
    """A named plugin of some kind, as its decorator declared it."""

    kind: str
    name: str
    target: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    options: Mapping[str, Any]

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
        """Return the plugin ready for calls: a function with its parameters bound, or an instance.

        ``given`` are what the framework hands to a stateful kind before the parameters (a genome: the image shape).
        """
        if KINDS[self.kind].stateful:
            return self.target(*given, **values)
        return functools.partial(self.target, **values)


def _declare(kind: str, name: str, **options: Any) -> Callable[[Target], Target]:
    """Return a decorator that marks its target as a plugin, and otherwise leaves it as it is."""

    def mark(target: Target) -> Target:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise InputError(f"{kind} {name!r}: a name has letters, digits, '_' and '-', and begins with a letter")
        if KINDS[kind].stateful and not is_dataclass(target):
            raise InputError(f"{kind} {name!r}: a {kind} is a dataclass; put @dataclass under the decorator")
        try:
            parameters = parameters_of(target)
            _check_given(KINDS[kind], target)
        except InputError as error:
            raise InputError(f"{kind} {name!r}: {error}") from None
        target.__fooldeap_plugin__ = Plugin(kind, name, target, parameters, options)  # type: ignore[attr-defined]
        return target

    return mark


def _check_given(kind: Kind, target: Callable[..., Any]) -> None:
    """Refuse a plugin that cannot be called with what its kind is given."""
    every = inspect.signature(target).parameters.values()
    taken = [each.name for each in every if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(taken) == len(kind.given) or any(each.kind is each.VAR_POSITIONAL for each in every):
        return
    noun, mark = ("fields", "'_: KW_ONLY' above") if kind.stateful else ("arguments", "'*' before")
    cure = f"; put {mark} its parameters" if len(taken) > len(kind.given) else ""
    raise InputError(f"takes the {noun} ({', '.join(taken)}), expected ({', '.join(kind.given)}){cure}")


def plugin_of(target: Any) -> Plugin | None:
    """Return the declaration that a decorator left on a function or class itself (not on its base), if any."""
    declared = getattr(target, "__dict__", {}).get("__fooldeap_plugin__")
    return declared if isinstance(declared, Plugin) else None


# --- The decorators -------------------------------------------------------------------------------------------------


def genome(name: str) -> Callable[[Target], Target]:
    """Declare a genome, see `Genome`. Its first field is the image shape that the classifier wants."""
    return _declare("genome", name)


def fitness(name: str, *, objectives: tuple[str, ...] = ("fitness",)) -> Callable[[Target], Target]:
    """Declare a fitness ``f(predictions, target)`` that gives (n,) or (n, k) float64; larger is better.

    ``objectives`` are what its k columns are called in tables and figures, where there are several.
    """
    return _declare("fitness", name, objectives=objectives)


def mutation(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a mutation ``f(genomes, rng)``. It may edit the batch it is handed, and returns as many genomes.

    ``genome`` names the genomes it works on, one or several, by their names or by the dtype of their arrays: "uint8",
    "bool" and "float64" are those with grey values, with bits, and with real numbers that have no bounds. None: any
    whose batches are arrays; "any": lists as well.
    """
    return _declare("mutation", name, genome=genome)


def crossover(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a crossover ``f(first, second, rng)``: two batches of parents in, two batches of children out.

    It may edit the batches it is handed. ``genome`` is as for `mutation`.
    """
    return _declare("crossover", name, genome=genome)


def selection(name: str, *, objectives: Literal["one", "any"] = "one") -> Callable[[Target], Target]:
    """Declare a selection ``f(fitness, count, rng)`` that gives ``count`` indices into the population.

    The fitness is finite, (n,) float64; with ``objectives="any"`` also (n, k).
    """
    return _declare("selection", name, objectives=objectives)


def algorithm(
    name: str, *, targets: Literal["one", "all"] = "one", uses: tuple[str, ...] = OPERATORS
) -> Callable[[Target], Target]:
    """Declare an algorithm, a generator function ``f(toolbox, rng)`` that yields genomes and receives a `Reply`.

    ``targets="one"``: a run for each target; ``"all"``: one run pursues them together (``toolbox.targets``).
    ``uses`` are the kinds of operators that it calls; the others are neither in its toolbox nor need fit the genome.
    """
    return _declare("algorithm", name, targets=targets, uses=uses)


def classifier(name: str, *, suffixes: tuple[str, ...] = ()) -> Callable[[Target], Target]:
    """Declare a classifier, see `Classifier`.

    ``suffixes`` are those of the files that its ``model`` may be, as ``(".onnx",)``: by them ``fooldeap audit`` knows
    whose file it is, and ``fooldeap_plugins.classifier`` what to propose for a file of another sort.
    """
    return _declare("classifier", name, suffixes=suffixes)


def dataset(name: str) -> Callable[[Target], Target]:
    """Declare a dataset, see `Dataset`."""
    return _declare("dataset", name)


def executor(name: str) -> Callable[[Target], Target]:
    """Declare an executor, see `Executor`."""
    return _declare("executor", name)


def reporter(name: str) -> Callable[[Target], Target]:
    """Declare a reporter, see `Reporter`."""
    return _declare("reporter", name)
