"""What pages are made of: images with what is seen in them, curves, films, tables. See ``templates/parts.html``."""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import numerals
from fooldeap.lines import printable
from fooldeap.results import FoolingImage

MOST_BARS = 12  # classes that are shown at a time
THUMB = 192  # pixels along the longer side of a small image
_DIGITS = 7  # of a probability


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Return a file as a text that stands for its address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(image: NDArray[np.uint8]) -> str:
    """Return an image uint8 (h, w, c) as the address of a PNG of its native size."""
    return data_uri(FoolingImage(image).png())


@dataclass(frozen=True)
class Card:
    """An image, large, with what a classifier sees in it.

    Parameters
    ----------
    title : what it is for: ``"target 3"``
    image : uint8 (h, w, c)
    seen : what the classifier takes it for, None where that is not known
    confidence : its probability, of the target
    lines : what else there is to say, a line each
    good : whether it is what was looked for; None: nothing was
    beside : an image to compare it with, uint8 (h, w, c), and its caption
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
        """The image as an address."""
        return picture(self.image)

    @property
    def beside_source(self) -> str:
        """The image beside it as an address."""
        return picture(self.beside[0]) if self.beside else ""

    @property
    def alt(self) -> str:
        """The image in words."""
        seen = f", seen as {self.seen}" if self.seen is not None else ""
        certain = f" with {percent(self.confidence)}" if self.confidence is not None else ""
        return f"Image for {self.title}{seen}{certain}"


@dataclass(frozen=True)
class Thumb:
    """A small image uint8 (h, w, c), or none, with a title, how certain the classifier is, and a word more."""

    title: str
    image: NDArray[np.uint8] | None
    certain: str
    more: str = ""
    good: bool | None = None

    @property
    def source(self) -> str:
        """The image as an address, no larger than it is shown."""
        if self.image is None:
            return "data:,"
        step = math.ceil(max(self.image.shape[:2]) / THUMB)
        return picture(self.image if step == 1 else _reduced(self.image, step))


@dataclass(frozen=True)
class Group:
    """Small images that belong together, in a row."""

    title: str
    thumbs: Sequence[Thumb]


@dataclass(frozen=True)
class Table:
    """A table of texts; its first ``left`` columns are set to the left, the others, figures, to the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    caption: str = ""


@dataclass(frozen=True)
class Line:
    """A curve: steps up at its points, as what is best until then does."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """Curves over one axis, to be read off by pointer or keyboard, with logarithmic axes to choose.

    Parameters
    ----------
    title, x_label, y_label : in words
    lines : their x ascending; each keeps its value until its next point
    log_x, log_y : how the axes are at first
    low, high : of the y axis where it is linear; None: what the values take
    goal : a level to draw, with ``goal_label``
    percent : whether y is a share, to be read in percent
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
        """The chart in words."""
        return f"{self.title}: {self.y_label} over {self.x_label}, {len(self.lines)} curves"

    def data(self) -> dict[str, Any]:
        """Return what the script draws."""
        plain = {name: getattr(self, name) for name in ("log_x", "log_y", "low", "high", "goal", "percent")}
        words = {name: printable(getattr(self, name)) for name in ("title", "x_label", "y_label", "goal_label")}
        values = _shares if self.percent else _plain
        lines = [{"label": printable(line.label), "x": _plain(line.x), "y": values(line.y)} for line in self.lines]
        return {**plain, **words, "lines": lines}


@dataclass(frozen=True)
class Film:
    """How an image came about, frame by frame, and what the classifier saw.

    Parameters
    ----------
    title : ``"3"``
    target : the class that is looked for
    images : uint8 (n, h, w, c)
    probabilities : float64 (n, classes)
    generations, evaluations : of each frame
    classes : their names; empty: their numbers
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
        """The last frame as an address."""
        return picture(self.images[-1])

    def thinned(self, most: int) -> "Film":
        """Return the film with at most so many frames, the first and the last among them."""
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
        """Return what the script plays: all frames as one PNG, one below the other."""
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
        """Return the classes to show: all, or of many those that came highest, and the target."""
        highest = self.probabilities.max(axis=0)
        order = sorted(range(len(highest)), key=lambda index: (index != self.target, -highest[index], index))
        return sorted(order[:MOST_BARS])

    def _name(self, index: int) -> str:
        return printable(name_of(index, self.classes))


def name_of(index: int, names: Sequence[str]) -> str:
    """Return what a class is called: its name, or its number where it has none."""
    return str(names[index]) if index < len(names) else str(index)


def _reduced(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return an image with the mean of step x step pixels in place of each; what is over at its ends is cut off."""
    height, width = (size // step for size in image.shape[:2])
    blocks = image[: height * step, : width * step].reshape(height, step, width, step, -1)
    means: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return means


def percent(share: float) -> str:
    """Return a share in percent, rounded down, with spaces that do not break."""
    return numerals.percent(share).replace(" ", "\u00a0")


def _shares(values: Iterable[float]) -> list[float]:
    """Return shares as JSON has them, not rounded up to what they fall short of."""
    return [numerals.rounded_down(value, _DIGITS) for value in values]


def _plain(values: Sequence[float]) -> list[float | None]:
    """Return numbers as JSON has them, to seven digits."""
    return [float(f"{value:.7g}") if math.isfinite(value) else None for value in values]
