"""The contracts between plugins and the engine: what stateful kinds offer, and what algorithms and fitness receive."""

import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.parameters import Nested
from fooldeap.results import ExperimentInfo, LogRow, Result, RunInfo, RunResult

Array = NDArray[Any]
Images = NDArray[np.uint8]
Batch = Any  # an ndarray (n, ...) or a list of n objects
Rng = np.random.Generator
Toolbox = Any  # deap.base.Toolbox, which is untyped
File = Annotated[str, "file"]  # a path, or a name; a path in YAML is taken relative to the YAML file
Names = Annotated[str, "file", "shown"]  # likewise, of words that are shown: it decides no bit of what is evolved
Directory = Annotated[str, "directory"]  # likewise
Command = Annotated[str, "command"]  # what is run: told where a file says it, and refused with --no-plugins
Code = Annotated[str, "command", "code"]  # module:name or file.py:name; a file in YAML is relative to the YAML file
Mutations = Annotated[tuple[Any, ...], Nested("mutation")]  # pairs of a mutation ready for calls, and its weight


# --- The stateful kinds ---------------------------------------------------------------------------------------------


class Genome(Protocol):
    """What is evolved, and how it becomes an image.

    ``dtype`` and ``bounds`` describe arrays of genomes; a genome that is no array has ``dtype`` None, and its batches
    are lists. One whose ``decode`` takes longer than sending genomes and images between processes says
    ``costly: ClassVar[bool] = True``: then the processes share it.
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

    May say ``billable = True``, where every image costs money: then it is shown nothing but what algorithms ask about,
    and no batch is filled up. May also have ``gradient(images, target)``, giving the gradient of log p(target) by the
    image, float32, in grey levels, shaped as the images; ``features(images)``, giving what goes into the last layer,
    float32 (n, d), or None; ``names``, what the classes are called, or None; ``rejection``, the class that stands for
    what is none of the others, which ``targets: all`` leaves out, or None; and a class method ``from_object(model)``
    that makes a classifier of a model in memory, or returns None where the model is not of its sort.
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
        """Return raw scores before softmax, (n, classes) float32. The images are lent for the call only."""


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
    """Where the work is done. An executor plugin derives from this and overrides what it needs.

    The functions that `map` is given, and the work of `open`, can be pickled: they travel as the experiment's
    configuration, and are loaded again, with all plugins, where they arrive.
    """

    @property
    def processes(self) -> int:
        """How many processes work, this one included."""
        return 1

    @property
    def whole_runs(self) -> bool:
        """Whether whole runs are mapped, rather than batches of images."""
        return False

    def open(self, work: Any) -> None:
        """Begin; called before anything is loaded here, so that others may load ``work`` at the same time."""

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        return map(function, items)

    @property
    def sent_again(self) -> int:
        """How many items were done a second time, at most, since whoever had them was lost."""
        return 0

    def complaints(self) -> list[str]:
        """Return what the user should know at the end of a run: who did not help."""
        return []

    def close(self) -> str:
        """End, leave no process behind, and return what the others said, for a log."""
        return ""


class Reporter:
    """Watches an experiment. A reporter plugin derives from this and overrides what it needs.

    ``on_screen`` says that it shows something rather than writes files: ``--quiet`` leaves it out, and ``--no-images``
    sets its parameter ``images``, if it has one, to false.
    """

    on_screen: ClassVar[bool] = False

    def on_start(self, session: ExperimentInfo) -> None:
        """Before the first generation. ``session.folder`` is where files go, or None."""

    def on_run_start(self, run: RunInfo, best: "BestYet") -> None:
        """Before each run. ``best(target)`` gives its best image whenever it is asked, and costs nothing until then.

        Runs that other processes make, one by one, let nobody look: of those there is `on_run_end` alone, with images.
        """

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
    """What the classifier said about a batch of images. All arrays are read-only: what is told of an image is of them.

    Attributes
    ----------
    logits : float32 (n, classes)
    images : uint8 (n, height, width, channels)
    """

    def __init__(self, logits: NDArray[np.float32], images: Images) -> None:
        self.logits = _read_only(logits)
        self.images = _read_only(images)

    @functools.cached_property
    def log_probabilities(self) -> NDArray[np.float64]:
        """Log softmax by log-sum-exp in float64, (n, classes); exact also where a probability rounds to 1."""
        scores = self.logits.astype(np.float64)
        # The ufuncs' own reductions: the methods of arrays take a detour through Python.
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        scores -= np.log(np.add.reduce(np.exp(scores), axis=1, keepdims=True))
        return _read_only(scores)

    @functools.cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, float64 (n, classes)."""
        return _read_only(np.exp(self.log_probabilities))


def _read_only(array: Array) -> Array:
    """Return a view that nobody can write to; whoever owns the array still can."""
    view = array.view()
    view.flags.writeable = False
    return view


BestYet = Callable[[int], Predictions | None]  # of a target: its best image alone, or None where none was shown yet


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
        self._score = score
        self._scored: dict[int, Array] = {}
        self._gradient: NDArray[np.float32] | None = gradient

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
        if target not in self._scored:
            self._scored[target] = self._score(self.predictions, target)
        return self._scored[target]

    def _only(self, name: str, cure: str) -> int:
        if len(self._targets) != 1:
            raise InputError(f"reply.{name} is for runs with one target; this one has several: use {cure}")
        return self._targets[0]


Evolution = Generator[Batch | Ask, Reply, None]
