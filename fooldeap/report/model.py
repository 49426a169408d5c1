"""The model of a report: a title, a lead, and sections of typed blocks.

Every output is rendered from it: `fooldeap.report.markdown`, `html`, `latex` and `terminal`. All text is plain; the
renderers escape it. A block that an output cannot show, such as a chart in Markdown, is left out there.

An image is named by its path in the folder of the report, or is a data URI.

To add a section to every report, see `fooldeap.report.common`. To add a kind of block, add a class here, and its case
in each renderer that shows it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from fooldeap import formatting
from fooldeap.formatting import grouped
from fooldeap.storage.inputs import read_json

MARKDOWN, HTML, LATEX, TERMINAL = "markdown", "html", "latex", "terminal"
DOCUMENT = (MARKDOWN, HTML)


class Titleless:
    """A block without a title. Pages fold a block with a title; ``kind`` names the class in templates and in JSON."""

    title = ""


@dataclass(frozen=True)
class Text(Titleless):
    """A paragraph."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Items(Titleless):
    """A list of sentences. ``warning``: they are caveats."""

    texts: Sequence[str]
    warning: bool = False
    kind: Literal["items"] = "items"


@dataclass(frozen=True)
class Table:
    """A table of texts. The first ``left`` columns are aligned to the left, the others, numbers, to the right.

    ``name`` is the name of its LaTeX file, without suffix.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    name: str = ""
    title: str = ""
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Figure(Titleless):
    """A picture in the folder of the report, and its description. ``path`` names the PNG; pages prefer a small SVG."""

    path: str
    alt: str
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Histogram(Titleless):
    """Numbers of things by group, as bars. ``header`` names the groups and the things; ``counts`` is in this order."""

    header: tuple[str, str]
    counts: Sequence[tuple[str, int]]
    kind: Literal["histogram"] = "histogram"

    @property
    def table(self) -> Table:
        """The numbers as a table."""
        return Table(self.header, [(label, grouped(count)) for label, count in self.counts])


@dataclass(frozen=True)
class Code:
    """Text in a fixed font, such as YAML."""

    text: str
    title: str = ""
    kind: Literal["code"] = "code"


# --- Pictures of pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """A large image with the prediction of a classifier.

    Parameters
    ----------
    title : such as ``"target 3"``
    image : the image
    seen : the predicted class; None if it is unknown
    confidence : the probability of the target
    lines : more text, one entry per line
    good : see `is_good`
    beside : an image to compare with, and its caption
    """

    title: str
    image: str
    seen: str | None = None
    confidence: float | None = None
    lines: Sequence[str] = ()
    good: bool | None = None
    beside: tuple[str, str] | None = None

    @property
    def alt(self) -> str:
        """The text alternative of the image."""
        seen = f", seen as {self.seen}" if self.seen is not None else ""
        confidence = f" with {percent(self.confidence)}" if self.confidence is not None else ""
        return f"Image for {self.title}{seen}{confidence}"


@dataclass(frozen=True)
class Thumb:
    """A small image: title, image, confidence as text, more text, and ``good``, see `is_good`."""

    title: str
    image: str
    certain: str
    more: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class ImageGroup:
    """A titled row of small images."""

    title: str
    thumbs: Sequence[Thumb]


@dataclass(frozen=True)
class Entry:
    """An image of a catalogue.

    Parameters
    ----------
    number, name : the target class; the name is empty if the class has none
    image : the image
    confidence : the probability of the target
    seen : the predicted class, if it is not the target
    lines : more text, one entry per line
    cost : a number of evaluations by which readers can sort; None is the last one
    good : see `is_good`
    """

    number: int
    name: str
    image: str
    confidence: float
    seen: str = ""
    lines: Sequence[str] = ()
    cost: int | None = None
    good: bool | None = None


@dataclass(frozen=True)
class Film:
    """The evolution of an image, with the predictions of the classifier.

    Parameters
    ----------
    title : such as ``"3"``
    target : the target class
    path : a file of snapshots in the folder, see `fooldeap.engine.snapshots`
    index, runs : the position of the run in this file, and the number of runs in it
    classes : the names of the classes; a class without a name is shown as its number
    """

    title: str
    target: int
    path: str
    index: int = 0
    runs: int = 1
    classes: Sequence[str] = ()


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


@dataclass(frozen=True)
class Cards:
    """Large images with predictions, on pages only."""

    cards: Sequence[Card]
    title: str = ""
    kind: Literal["cards"] = "cards"


@dataclass(frozen=True)
class Gallery(Titleless):
    """Titled rows of small images, on pages only."""

    groups: Sequence[ImageGroup]
    kind: Literal["gallery"] = "gallery"


@dataclass(frozen=True)
class Catalogue(Titleless):
    """Many small images, on pages only. Readers can search, sort and turn pages. Each image links to its file."""

    entries: Sequence[Entry]
    kind: Literal["catalogue"] = "catalogue"


@dataclass(frozen=True)
class Films:
    """Evolving images, on pages only. One slider plays the films together. ``open``: not folded at first."""

    films: Sequence[Film]
    title: str = ""
    open: bool = True
    kind: Literal["films"] = "films"


@dataclass(frozen=True)
class Charts(Titleless):
    """Charts of curves, on pages only."""

    charts: Sequence[Chart]
    kind: Literal["charts"] = "charts"


Block = Text | Items | Table | Figure | Histogram | Code | Cards | Gallery | Catalogue | Films | Charts


@dataclass(frozen=True)
class Section:
    """A titled part of a report. ``outputs`` are the outputs that show it."""

    title: str
    blocks: Sequence[Block]
    outputs: Sequence[str] = DOCUMENT

    @property
    def id(self) -> str:
        """An identifier for links."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Report:
    """A report.

    Parameters
    ----------
    title : the title
    lead : one or two sentences
    facts : the most important figures, as pairs of a name and a value
    sections : the sections, in the order of every output
    """

    FILE: ClassVar[str] = "report.json"

    title: str
    lead: str
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = ()

    def shown(self, output: str) -> list[Section]:
        """Return the sections that an output shows; sections without blocks are left out."""
        return [section for section in self.sections if output in section.outputs and section.blocks]

    def to_json(self) -> str:
        """Return the content of ``report.json``: the report without the sections that pages do not show."""
        content: bytes = _adapter().dump_json(replace(self, sections=self.shown(HTML)), indent=1)
        return content.decode() + "\n"

    @classmethod
    def read(cls, folder: Path) -> "Report":
        """Return the report in a folder.

        Raises
        ------
        ValueError
            The file is damaged.
        """
        report: Report = _adapter().validate_python(read_json(folder / cls.FILE))
        return report


def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def percent(share: float) -> str:
    """Return a share in percent, rounded down, with a no-break space."""
    return formatting.percent(share).replace(" ", "\u00a0")


def name_of(index: int, names: Sequence[str]) -> str:
    """Return the name of a class, or its number if it has no name."""
    return str(names[index]) if index < len(names) else str(index)


def goal_text(goal: Mapping[str, float]) -> str:
    """Return a goal as text: 99.99 % confidence."""
    return " or ".join(
        f"{formatting.level(value)} confidence" if name == "confidence" else f"a {name} of {value:g}"
        for name, value in sorted(goal.items())
    )


def is_good(target: int, predicted: int, *, reached: bool, has_goal: bool = True) -> bool | None:
    """Return how pages colour an image: green if it reached its goal, orange if it is seen as another class."""
    if not has_goal:
        return None
    return True if reached else None if predicted == target else False


def thumb(image: str, run: Mapping[str, Any], names: Sequence[str] = ()) -> Thumb:
    """Return the image of a run, an entry of ``result.json`` or of a record, as a small image with caption.

    ``names`` are the names of the classes.
    """
    target, predicted, reached = run["target"], run["predicted"], run["evaluations_to_goal"]
    cost = f"after {grouped(reached)}" if reached else f"not in {grouped(run['evaluations'])}"
    seen = "" if predicted == target else f"seen as {name_of(predicted, names)}, "
    good = is_good(target, predicted, reached=reached is not None)
    return Thumb(name_of(target, names), image, percent(run["confidence"]), f"{seen}{cost}", good)
