"""What blocks of pages consist of: images with predictions, charts, films. ``templates/parts.html`` renders them."""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import formatting
from fooldeap.formatting import grouped
from fooldeap.plugin import Predictions
from fooldeap.results import FoolingImage, Snapshot
from fooldeap.terminal_text import printable

MOST_BARS = 12  # classes whose probabilities are shown
THUMB = 192  # pixels along the longer side of a small image
FILM_BYTES = 2_000_000  # the largest size of all frames, before compression
FEWEST_FRAMES = 6  # shown also if they are larger than that
_DIGITS = 7  # decimal places of a probability


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Return a data URI with the content of a file; ``kind`` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(image: NDArray[np.uint8]) -> str:
    """Return a data URI with an image uint8 (h, w, c) as PNG at its native size."""
    return data_uri(FoolingImage(image).png())


@dataclass(frozen=True)
class Card:
    """A large image with the prediction of a classifier.

    Parameters
    ----------
    title : such as ``"target 3"``
    image : uint8 (h, w, c)
    seen : the predicted class; None if it is unknown
    confidence : the probability of the target
    lines : more text, one entry per line
    good : whether the image reached its goal; None for a run without a goal
    beside : an image to compare with, uint8 (h, w, c), and its caption
    """

    title: str
    image: NDArray[np.uint8]
    seen: str | None = None
    confidence: float | None = None
    lines: Sequence[str] = ()
    good: bool | None = None
    beside: tuple[NDArray[np.uint8], str] | None = None

    @property
    def source(self) -> str:
        """The image as a data URI."""
        return picture(self.image)

    @property
    def beside_source(self) -> str:
        """The image to compare with as a data URI."""
        return picture(self.beside[0]) if self.beside else ""

    @property
    def alt(self) -> str:
        """The text alternative of the image."""
        seen = f", seen as {self.seen}" if self.seen is not None else ""
        confidence = f" with {percent(self.confidence)}" if self.confidence is not None else ""
        return f"Image for {self.title}{seen}{confidence}"


@dataclass(frozen=True)
class Thumb:
    """A small image with a caption.

    Parameters
    ----------
    title : such as ``"3"``
    image : uint8 (h, w, c); None if it is missing
    certain : the confidence of the classifier, as text
    more : more text
    good : whether the image reached its goal; None for a run without a goal
    """

    title: str
    image: NDArray[np.uint8] | None
    certain: str
    more: str = ""
    good: bool | None = None

    @property
    def source(self) -> str:
        """The image as a data URI, reduced to the size at which it is shown."""
        if self.image is None:
            return "data:,"
        step = math.ceil(max(self.image.shape[:2]) / THUMB)
        return picture(self.image if step == 1 else _reduced(self.image, step))


@dataclass(frozen=True)
class ImageGroup:
    """A titled row of small images."""

    title: str
    thumbs: Sequence[Thumb]


@dataclass(frozen=True)
class Line:
    """A step curve, such as a best value so far."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """A chart of step curves. Readers can read off values with mouse or keyboard, and make the axes logarithmic.

    Parameters
    ----------
    title, x_label, y_label : the labels
    lines : the curves, with ascending x; each keeps its value until its next point
    log_x, log_y : whether the axes are logarithmic at first
    low, high : the range of the linear y axis; None: the range of the values
    goal : a level to draw, with the label ``goal_label``
    percent : whether y is a share, shown in percent
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    log_x: bool = True
    log_y: bool = False
    low: float | None = None
    high: float | None = None
    goal: float | None = None
    goal_label: str = ""
    percent: bool = False

    @property
    def alt(self) -> str:
        """The text alternative of the chart."""
        return f"{self.title}: {self.y_label} over {self.x_label}, {len(self.lines)} curves"

    def data(self) -> dict[str, Any]:
        """Return the JSON data of the chart for ``page.js``."""
        settings = {name: getattr(self, name) for name in ("log_x", "log_y", "low", "high", "goal", "percent")}
        labels = {name: printable(getattr(self, name)) for name in ("title", "x_label", "y_label", "goal_label")}
        values = _shares if self.percent else _numbers
        lines = [{"label": printable(line.label), "x": _numbers(line.x), "y": values(line.y)} for line in self.lines]
        return {**settings, **labels, "lines": lines}


@dataclass(frozen=True)
class Film:
    """The evolution of an image, frame by frame, with the predictions of the classifier.

    Parameters
    ----------
    title : such as ``"3"``
    target : the target class
    images : the frames, uint8 (n, h, w, c)
    probabilities : of each frame and class, float64 (n, classes)
    generations, evaluations : the generation and the number of evaluations at each frame
    classes : the names of the classes; a class without a name is shown as its number
    """

    title: str
    target: int
    images: NDArray[np.uint8] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    generations: Sequence[int]
    evaluations: Sequence[int]
    classes: Sequence[str] = ()

    @property
    def last(self) -> str:
        """The last frame as a data URI."""
        return picture(self.images[-1])

    def thinned(self, most: int) -> "Film":
        """Return the film with at most ``most`` frames; the first and the last frame are kept."""
        if len(self.images) <= most:
            return self
        kept = np.unique(np.linspace(0, len(self.images) - 1, most).round().astype(int))
        return Film(
            self.title,
            self.target,
            self.images[kept],
            self.probabilities[kept],
            [self.generations[index] for index in kept],
            [self.evaluations[index] for index in kept],
            self.classes,
        )

    def data(self) -> dict[str, Any]:
        """Return the JSON data of the film for ``page.js``; the frames are one PNG, one frame below the other."""
        frames, height, width, channels = self.images.shape
        shown = self._shown()
        return {
            "title": printable(self.title),
            "target": shown.index(self.target),
            "classes": [self._name(index) for index in shown],
            "frames": picture(self.images.reshape(frames * height, width, channels)),
            "size": [width, height],
            "probabilities": [_shares(row) for row in self.probabilities[:, shown]],
            "seen": [self._name(int(index)) for index in self.probabilities.argmax(axis=1)],
            "generations": [int(each) for each in self.generations],
            "evaluations": [int(each) for each in self.evaluations],
        }

    def _shown(self) -> list[int]:
        """Return the classes to show: the target and those with the highest probabilities, at most `MOST_BARS`."""
        highest = self.probabilities.max(axis=0)
        order = sorted(range(len(highest)), key=lambda index: (index != self.target, -highest[index], index))
        return sorted(order[:MOST_BARS])

    def _name(self, index: int) -> str:
        return printable(name_of(index, self.classes))


def thumb(
    image: NDArray[np.uint8] | None, target: int, predicted: int, confidence: float, to_goal: int | None, spent: int
) -> Thumb:
    """Return the image of a run as a small image with caption; ``spent`` is the number of evaluations of the run."""
    cost = f"after {grouped(to_goal)}" if to_goal else f"not in {grouped(spent)}"
    seen = "" if predicted == target else f"seen as {predicted}, "
    return Thumb(str(target), image, percent(confidence), f"{seen}{cost}", good=to_goal is not None)


def thinned(films: Sequence[Film]) -> list[Film]:
    """Return the films with fewer frames, and if necessary only the first films, so that they fit in `FILM_BYTES`."""
    size = max((film.images[0].nbytes for film in films), default=1)
    kept = films[: max(1, FILM_BYTES // (FEWEST_FRAMES * size))]
    return [film.thinned(max(FEWEST_FRAMES, FILM_BYTES // (len(kept) * size))) for film in kept]


def film_of(title: str, target: int, taken: Sequence[Snapshot], names: Sequence[str] = ()) -> Film:
    """Return the snapshots of a run as a film; ``names`` are the names of the classes."""
    images = np.stack([each.image for each in taken])
    return Film(
        title=title,
        target=target,
        images=images,
        probabilities=probabilities_of(taken),
        generations=[each.generation for each in taken],
        evaluations=[each.evaluations for each in taken],
        classes=names,
    )


def probabilities_of(taken: Sequence[Snapshot]) -> NDArray[np.float64]:
    """Return the confidences of snapshots, float64 (snapshots, classes)."""
    images = np.stack([each.image for each in taken])
    logits = np.stack([each.logits for each in taken])
    return Predictions(logits, images, taken[0].confidence_kind).probabilities


def name_of(index: int, names: Sequence[str]) -> str:
    """Return the name of a class, or its number if it has no name."""
    return str(names[index]) if index < len(names) else str(index)


def _reduced(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return an image with one pixel, the mean, per block of step x step pixels; incomplete blocks are cut off."""
    height, width = (size // step for size in image.shape[:2])
    blocks = image[: height * step, : width * step].reshape(height, step, width, step, -1)
    means: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return means


def percent(share: float) -> str:
    """Return a share in percent, rounded down, with a no-break space."""
    return formatting.percent(share).replace(" ", "\u00a0")


def _shares(values: Iterable[float]) -> list[float]:
    """Return shares for JSON, rounded down."""
    return [formatting.rounded_down(value, _DIGITS) for value in values]


def _numbers(values: Sequence[float]) -> list[float | None]:
    """Return numbers for JSON, with seven digits; a number that is not finite becomes None."""
    return [float(f"{value:.7g}") if math.isfinite(value) else None for value in values]
