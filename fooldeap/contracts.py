"""The contracts between plugins and the engine: methods of stateful kinds, and arguments of algorithms and fitness."""

import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError, did_you_mean
from fooldeap.parameters import Nested
from fooldeap.results import SOFTMAX, ExperimentInfo, LogRow, Result, RunInfo, RunResult

Array = NDArray[Any]
Images = NDArray[np.uint8]
Batch = Any  # an ndarray (n, ...) or a list of n objects
Rng = np.random.Generator
Toolbox = Any  # deap.base.Toolbox, which is untyped
File = Annotated[str, "file"]  # a path or a name; a path in YAML is relative to the YAML file
Names = Annotated[str, "file", "shown"]  # likewise, for names that are only displayed; they do not influence results
StartImages = Annotated[str, "file", "directory", "start"]  # images from which runs start, see `Genome`
Directory = Annotated[str, "directory"]  # likewise
Command = Annotated[str, "command"]  # a command; announced if a file names it, and refused with --no-plugins
Code = Annotated[str, "command", "code"]  # module:name or file.py:name; a file in YAML is relative to the YAML file
Mutations = Annotated[tuple[Any, ...], Nested("mutation")]  # pairs of a mutation, ready for calls, and its weight


# --- The stateful kinds ---------------------------------------------------------------------------------------------


class Genome(Protocol):
    """The representation of individuals, and how it is decoded to images.

    ``dtype`` and ``bounds`` describe arrays of genomes. If genomes are not arrays, ``dtype`` is None and batches are
    lists. If ``decode`` takes longer than sending genomes and images between processes, set ``costly: ClassVar[bool] =
    True``. The processes then share the decoding.

    A genome that can represent given images has a method ``encode(images)`` and a parameter ``start: StartImages | None
    = None``. ``encode`` returns one genome for each image, which decodes to the most similar image possible. If the
    user sets ``start``, the first population of each run begins with the genomes of these images.
    """

    dtype: ClassVar[str | None]
    bounds: ClassVar[tuple[float, float] | None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    def sample(self, count: int, rng: Rng) -> Batch:
        """Return ``count`` random genomes."""

    def decode(self, genomes: Batch) -> Images:
        """Return uint8 images (n, height, width, channels). The bits of a row must depend on its genome only."""

    def take(self, genomes: Batch, indices: Sequence[int] | Array) -> Batch:
        """Return independent copies of the genomes at ``indices``."""


class Classifier(Protocol):
    """The model that is attacked.

    Optional attributes:

    * ``billable = True``: every image costs money. The classifier is shown only images that algorithms ask about, and
      batches are not padded.
    * ``batch_size``: the number of images in each pass, if it is always the same; missing images are filled up
    * ``gradient(images, targets)``: returns the gradient of log p(target) with respect to each image in grey levels,
      float32, same shape as the images; ``targets`` has one class for each image, int64 (n,)
    * ``features(images)``: returns the input of the last layer, float32 (n, d), or None
    * ``names``: the names of the classes, or None
    * ``removes_activation``: whether the logits are the input of a softmax or sigmoid at the model's end
    * ``quantized_dynamically``: whether values are rounded to steps that depend on the whole batch
    * ``probed``: the number of images that it has shown to the model by itself, for ``queries.csv``
    * ``allow_code()``: called before first use if the user trusts the code in the model file
    * ``confidence_kind``: how the confidence in a class follows from the logits, see `log_confidences`
    * ``alternatives()``: yields classifiers with other preprocessing of the pixels, each with the key that sets it; if
      one of them has a better accuracy on the dataset, the key is suggested
    * ``computes_on``: the name of the device that computes, for the provenance of results
    * ``rejection``: the class for images of no other class, or None; ``targets: all`` leaves it out
    * ``takes(model)``: a class method that returns whether the plugin accepts a model in memory
    * ``from_object(model, **parameters)``: a class method that returns a classifier for such a model
    """

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    @property
    def classes(self) -> int:
        """The number of classes."""

    @property
    def digest(self) -> str:
        """Identifies the weights: equal digests mean equal classifiers."""

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return raw scores before softmax, (n, classes) float32. The images are only valid during the call."""


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


class Executor:
    """Distributes work to processes. An executor plugin derives from this class and overrides some methods.

    The functions passed to `map` and the work passed to `open` can be pickled. They are sent as the experiment's
    configuration. The receiving process loads them and all plugins again.
    """

    @property
    def processes(self) -> int:
        """Number of processes that evaluate. This process is one of them, if it evaluates."""
        return 1

    @property
    def whole_runs(self) -> bool:
        """Whether `map` gets whole runs instead of batches of images."""
        return False

    def open(self, work: Any) -> None:
        """Start. Called before this process loads anything, so that others can load ``work`` at the same time."""

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        return map(function, items)

    @property
    def sent_again(self) -> int:
        """Maximum number of items that were sent a second time because a worker was lost."""
        return 0

    def complaints(self) -> list[str]:
        """Return warnings for the user at the end of a run, such as workers that did not start."""
        return []

    def close(self) -> str:
        """Stop all worker processes, and return their output for a log."""
        return ""


class Reporter:
    """Observes an experiment. A reporter plugin derives from this class and overrides some methods.

    ``on_screen`` means that it prints to the screen instead of writing files. ``--quiet`` leaves such reporters out,
    and ``--no-images`` sets their parameter ``images``, if any, to false.
    """

    on_screen: ClassVar[bool] = False

    def on_start(self, session: ExperimentInfo) -> None:
        """Handle the start, before the first generation. ``session.folder`` is the folder for files, or None."""

    def on_run_start(self, run: RunInfo, best: "BestYet") -> None:
        """Handle the start of a run. ``best(target)`` returns the current best image; it costs nothing until called.

        Whole runs in other processes have no ``best``. For these, only `on_generation` and `on_run_end` are called.
        """

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Handle a generation. Called for each run and each of its targets."""

    def on_run_end(self, results: list[RunResult]) -> None:
        """Handle the end of a run, with one result for each of its targets."""

    def on_finish(self, result: Result) -> None:
        """Handle the end of the last run."""

    def on_abort(self) -> None:
        """Handle a failure or an interruption. Called instead of `on_finish`."""


# --- What algorithms and fitness functions exchange with the engine -------------------------------------------------


class Predictions:
    """The classifier's answers to a batch of images. All arrays are read-only.

    Attributes
    ----------
    logits : float32 (n, classes)
    images : uint8 (n, height, width, channels)
    confidence_kind : how the confidence follows from the logits, see `log_confidences`
    """

    def __init__(self, logits: NDArray[np.float32], images: Images, confidence_kind: str = SOFTMAX) -> None:
        self.logits = read_only(logits)
        self.images = read_only(images)
        self.confidence_kind = confidence_kind

    @functools.cached_property
    def log_probabilities(self) -> NDArray[np.float64]:
        """Logarithms of the confidences, float64 (n, classes). Exact even if a confidence rounds to 1."""
        return read_only(log_confidences(self.logits, self.confidence_kind))

    @functools.cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Confidence in each class, float64 (n, classes)."""
        found = np.exp(self.log_probabilities)
        if self.confidence_kind == "probability":  # undo the rounding of the logarithm to float32
            found = found.astype(np.float32).astype(np.float64)
        return read_only(found)


def confidence_kind_of(classifier: object) -> str:
    """Return how the confidence of a classifier follows from its logits."""
    return str(getattr(classifier, "confidence_kind", SOFTMAX))


def class_number(name: int | str, classifier: object) -> int:
    """Return the number of the class with a name. A number is returned unchanged.

    Raises
    ------
    InputError
        The classifier has no names, or no class of this name, or the name is ambiguous.
    """
    names = tuple(getattr(classifier, "names", None) or ())
    if isinstance(name, int):
        return name
    numbers = [number for number, each in enumerate(names) if each == name]
    if len(numbers) > 1:
        shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
        raise InputError(f"got {name!r}, the name of the classes {shown}, expected one class; use its number")
    if numbers and name.isdecimal() and int(name) < len(names) and int(name) != numbers[0]:
        raise InputError(
            f"got {name!r}, which is class {int(name)} by number, but class {numbers[0]} by name; use a number without "
            "quotes"
        )
    if numbers:
        return numbers[0]
    if not names:
        raise InputError(f"got the class {name!r}, but the classifier has no names; set class_names, or use numbers")
    raise InputError(f"got the class {name!r}, expected one of: {', '.join(names[:30])}{did_you_mean(name, names)}")


def log_confidences(logits: NDArray[np.float32], kind: str) -> NDArray[np.float64]:
    """Return the logarithm of the confidence in each class, float64 (n, classes).

    This is the only definition of confidence. Goals, logs, results, audits and pages use it.

    * ``softmax``: the softmax of the logits
    * ``sigmoid``: the sigmoid of each logit, for classifiers with an independent probability for each class
    * ``probability``: the logits are logarithms of the classifier's own probabilities, which may not sum to 1
    """
    scores = logits.astype(np.float64)
    if kind == "sigmoid":
        return -np.logaddexp(0, -scores)
    if kind == "probability":
        return np.minimum(scores, 0)
    # Log-sum-exp. Reductions of ufuncs are faster than the methods of arrays.
    scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
    scores -= np.log(np.add.reduce(np.exp(scores), axis=1, keepdims=True))
    return scores


def read_only(array: Array) -> Array:
    """Return a read-only view. The array itself stays writable."""
    view = array.view()
    view.flags.writeable = False
    return view


BestYet = Callable[[int], Predictions | None]  # from a target to its best image (a batch of one) or, at first, None


@dataclass(frozen=True)
class Ask:
    """A request that an algorithm may yield instead of plain genomes, to get more than logits."""

    genomes: Batch
    gradient: bool = False


@dataclass(frozen=True)
class Population:
    """The batch of genomes that was evaluated last, with its fitness, float64 (n,)."""

    genomes: Batch
    fitness: Array


@dataclass(frozen=True)
class Offspring:
    """Children that an operator made earlier in the run, and that were evaluated since its last call.

    Children whose parents have an unknown fitness are left out.

    Attributes
    ----------
    number : int64 (n,), counts all children that the operator has made in this run, from 0
    fitness : float64 (n,)
    parent_fitness : float64 (n,); of two parents, the fitter one counts
    """

    number: Array
    fitness: Array
    parent_fitness: Array

    def __len__(self) -> int:
        return len(self.number)

    @property
    def improved(self) -> Array:
        """Whether each child is fitter than its parent, bool (n,)."""
        improved: Array = self.fitness > self.parent_fitness
        return improved


class Reply:
    """The answers that an algorithm receives for the genomes it yielded, in the same order."""

    def __init__(
        self,
        predictions: Predictions,
        targets: tuple[int, ...],
        score: Callable[[Predictions, int], Array],
        gradient: NDArray[np.float32] | None = None,
    ) -> None:
        self.predictions = predictions
        self._targets = targets
        self._score = score
        self._scored: dict[int, Array] = {}
        self._gradient: NDArray[np.float32] | None = gradient

    @property
    def fitness(self) -> Array:
        """Fitness for the run's target, (n,) or (n, k) float64; larger is better."""
        return self.of(self._only("fitness", "of(target)"))

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Confidence in the run's target, float64 (n,)."""
        target = self._only("confidence", "predictions.probabilities")
        confidence: NDArray[np.float64] = self.predictions.probabilities[:, target]
        return confidence

    @property
    def gradient(self) -> NDArray[np.float32]:
        """Gradient of log p(target) with respect to the images, float32 (n, h, w, c).

        Raises
        ------
        InputError
            No gradient was requested by ``Ask(gradient=True)``.
        """
        if self._gradient is None:
            raise InputError("no gradient was asked for; yield Ask(genomes, gradient=True)")
        return self._gradient

    def of(self, target: int) -> Array:
        """Return the fitness of the images for any target, (n,) or (n, k) float64."""
        if target not in self._scored:
            self._scored[target] = self._score(self.predictions, target)
        return self._scored[target]

    def _only(self, name: str, cure: str) -> int:
        if len(self._targets) != 1:
            raise InputError(f"reply.{name} is for runs with one target; this one has several: use {cure}")
        return self._targets[0]


Evolution = Generator[Batch | Ask, Reply, None]
