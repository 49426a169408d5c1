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
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, is_dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from annotated_types import Ge, Gt, Interval, Le, Len, Lt
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.parameters import Parameter, parameters_of
from fooldeap.results import LogRow, Result, RunInfo, RunResult, Session

__all__ = [
    "KINDS",
    "KW_ONLY",
    "Annotated",
    "Array",
    "Ask",
    "Batch",
    "Classifier",
    "Dataset",
    "Evolution",
    "Executor",
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
    "Plugin",
    "Predictions",
    "Reply",
    "Reporter",
    "Result",
    "Rng",
    "RunInfo",
    "RunResult",
    "Session",
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

Array = NDArray[Any]
Images = NDArray[np.uint8]
Batch = Any  # an ndarray (n, ...) or a list of n objects
Rng = np.random.Generator
Toolbox = Any  # deap.base.Toolbox, which is untyped
File = Annotated[str, "file"]  # a path, or a name; a path in YAML is taken relative to the YAML file
Target = TypeVar("Target", bound=Callable[..., Any])


# --- What a plugin is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of plugin: what its call looks like and which facts about itself a plugin of it may declare."""

    name: str
    call: str
    gives: str
    stateful: bool = False
    options: frozenset[str] = frozenset()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("genome", "sample(count, rng), decode(genomes), take(genomes, indices)", "images", True),
        Kind("fitness", "f(predictions, target)", "(n,) or (n, k) float64, larger is better"),
        Kind("mutation", "f(genomes, rng)", "as many genomes", options=frozenset({"genome"})),
        Kind("crossover", "f(first, second, rng)", "two batches of children", options=frozenset({"genome"})),
        Kind("selection", "f(fitness, count, rng)", "count indices into the population"),
        Kind("algorithm", "f(toolbox, rng)", "yields genomes, receives a Reply", options=frozenset({"targets"})),
        Kind("classifier", "input_shape, classes, logits(images)", "(n, classes) float32", True),
        Kind("dataset", "load()", "train and test images and labels", True),
        Kind("executor", "map(function, items)", "results in order", True),
        Kind("reporter", "on_start, on_generation, on_run_end, on_finish, on_abort", "–", True),
    )
}


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
        if KINDS[kind].stateful and not is_dataclass(target):
            raise InputError(f"{kind} {name!r}: a {kind} is a dataclass; put @dataclass under the decorator")
        try:
            parameters = parameters_of(target)
        except InputError as error:
            raise InputError(f"{kind} {name!r}: {error}") from None
        target.__fooldeap_plugin__ = Plugin(kind, name, target, parameters, options)  # type: ignore[attr-defined]
        return target

    return mark


def plugin_of(target: Any) -> Plugin | None:
    """Return the declaration that a decorator left on a function or class itself (not on its base), if any."""
    declared = getattr(target, "__dict__", {}).get("__fooldeap_plugin__")
    return declared if isinstance(declared, Plugin) else None


# --- The decorators -------------------------------------------------------------------------------------------------


def genome(name: str) -> Callable[[Target], Target]:
    """Declare a genome, see `Genome`. Its first field is the image shape that the classifier wants."""
    return _declare("genome", name)


def fitness(name: str) -> Callable[[Target], Target]:
    """Declare a fitness ``f(predictions, target)`` that gives (n,) or (n, k) float64; larger is better."""
    return _declare("fitness", name)


def mutation(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a mutation ``f(genomes, rng)``. It may edit the batch it is handed, and returns as many genomes.

    ``genome`` names the genomes it works on; None: any whose batches are arrays.
    """
    return _declare("mutation", name, genome=genome)


def crossover(name: str, *, genome: str | tuple[str, ...] | None = None) -> Callable[[Target], Target]:
    """Declare a crossover ``f(first, second, rng)``: two batches of parents in, two batches of children out."""
    return _declare("crossover", name, genome=genome)


def selection(name: str) -> Callable[[Target], Target]:
    """Declare a selection ``f(fitness, count, rng)`` that gives ``count`` indices into the population."""
    return _declare("selection", name)


def algorithm(name: str, *, targets: Literal["one", "all"] = "one") -> Callable[[Target], Target]:
    """Declare an algorithm, a generator function ``f(toolbox, rng)`` that yields genomes and receives a `Reply`.

    ``targets="one"``: a run for each target; ``"all"``: one run pursues them together (``toolbox.targets``).
    """
    return _declare("algorithm", name, targets=targets)


def classifier(name: str) -> Callable[[Target], Target]:
    """Declare a classifier, see `Classifier`."""
    return _declare("classifier", name)


def dataset(name: str) -> Callable[[Target], Target]:
    """Declare a dataset, see `Dataset`."""
    return _declare("dataset", name)


def executor(name: str) -> Callable[[Target], Target]:
    """Declare an executor, see `Executor`."""
    return _declare("executor", name)


def reporter(name: str) -> Callable[[Target], Target]:
    """Declare a reporter, see `Reporter`."""
    return _declare("reporter", name)


# --- The stateful kinds ---------------------------------------------------------------------------------------------


class Genome(Protocol):
    """What is evolved, and how it becomes an image.

    ``dtype`` and ``bounds`` describe arrays of genomes; a genome that is no array has ``dtype`` None, and its batches
    are lists.
    """

    dtype: ClassVar[str | None]
    bounds: ClassVar[tuple[float, float] | None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    def sample(self, count: int, rng: Rng) -> Batch:
        """Return ``count`` random genomes."""

    def decode(self, genomes: Batch) -> Images:
        """Return uint8 images (n, height, width, channels). To the bit, a row depends on its genome alone."""

    def take(self, genomes: Batch, indices: Sequence[int] | Array) -> Batch:
        """Return independent copies of the genomes at ``indices``."""


class Classifier(Protocol):
    """The model that is attacked.

    May also have ``gradient(images, target)``, giving the gradient of log p(target) by the image, float32, in grey
    levels, shaped as the images; and a class method ``from_object(model)`` that makes a classifier of a model in
    memory, or returns None where the model is not of its sort.
    """

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    @property
    def classes(self) -> int:
        """How many classes there are."""

    @property
    def digest(self) -> str:
        """What identifies the weights: the same text, the same classifier."""

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return raw scores before softmax, (n, classes) float32."""


@dataclass(frozen=True)
class Split:
    """Images uint8 (n, h, w, c) and integer labels (n,), for training and for testing."""

    train_images: Images
    train_labels: Array
    test_images: Images
    test_labels: Array


class Dataset(Protocol):
    """Labelled images."""

    def load(self) -> Split:
        """Return the images and labels."""


class Executor(Protocol):
    """Where evaluation is done."""

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""


class Reporter:
    """Watches an experiment. A reporter plugin derives from this and overrides what it needs.

    ``on_screen`` says that it shows something rather than writes files: ``--quiet`` leaves it out.
    """

    on_screen: ClassVar[bool] = False

    def on_start(self, session: Session) -> None:
        """Before the first generation. ``session.folder`` is where files go, or None."""

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """After each generation of each run, and for each of its targets."""

    def on_run_end(self, results: list[RunResult]) -> None:
        """After the end of each run, with a result for each of its targets."""

    def on_finish(self, result: Result) -> None:
        """After the last run."""

    def on_abort(self) -> None:
        """Instead of `on_finish`, when the experiment failed or was interrupted."""


# --- What algorithms and fitness functions exchange with the engine -------------------------------------------------


class Predictions:
    """What the classifier said about a batch of images.

    Attributes
    ----------
    logits : float32 (n, classes)
    images : uint8 (n, height, width, channels)
    """

    def __init__(self, logits: NDArray[np.float32], images: Images) -> None:
        self.logits = logits
        self.images = images

    @functools.cached_property
    def log_probabilities(self) -> NDArray[np.float64]:
        """Log softmax by log-sum-exp in float64, (n, classes); exact also where a probability rounds to 1."""
        scores = self.logits.astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    @functools.cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, float64 (n, classes)."""
        return np.exp(self.log_probabilities)


@dataclass(frozen=True)
class Ask:
    """What an algorithm may yield in place of plain genomes, to ask for more than logits."""

    genomes: Batch
    gradient: bool = False


class Reply:
    """What an algorithm receives for the genomes it yielded, in their order."""

    def __init__(
        self,
        predictions: Predictions,
        targets: tuple[int, ...],
        score: Callable[[Predictions, int], Array],
        gradient: NDArray[np.float32] | None = None,
    ) -> None:
        self.predictions = predictions
        self._targets = targets
        self._score = functools.cache(lambda target: score(predictions, target))
        self._gradient = gradient

    @property
    def fitness(self) -> Array:
        """Fitness for the run's target, (n,) or (n, k) float64; larger is better."""
        return self.of(self._only("fitness", "of(target)"))

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Softmax probability of the run's target, (n,)."""
        target = self._only("confidence", "predictions.probabilities")
        confidence: NDArray[np.float64] = self.predictions.probabilities[:, target]
        return confidence

    @property
    def gradient(self) -> NDArray[np.float32]:
        """Gradient of log p(target) by the image, (n, h, w, c), where ``Ask(gradient=True)`` was yielded."""
        if self._gradient is None:
            raise InputError("no gradient was asked for; yield Ask(genomes, gradient=True)")
        return self._gradient

    def of(self, target: int) -> Array:
        """Return the fitness of the same images for any target, (n,) or (n, k) float64."""
        fitness: Array = self._score(target)
        return fitness

    def _only(self, name: str, cure: str) -> int:
        if len(self._targets) != 1:
            raise InputError(f"reply.{name} is for runs with one target; this one has several: use {cure}")
        return self._targets[0]


Evolution = Generator[Batch | Ask, Reply, None]
