"""The model of a report: a title, a lead, and sections of typed blocks.

Every output is rendered from it: `fooldeap.report.markdown`, `html`, `latex` and `terminal`. All text is plain; the
renderers escape it. A block that an output cannot show, such as a chart in Markdown, is left out there.

To add a section to every report, see `fooldeap.report.common`. To add a kind of block, add a class here, and its case
in each renderer that shows it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from fooldeap.report.parts import Card, Chart, Film, ImageGroup
from fooldeap.storage.inputs import read_json

MARKDOWN, HTML, LATEX, TERMINAL = "markdown", "html", "latex", "terminal"
DOCUMENT = (MARKDOWN, HTML)


class Block:
    """A part of a section. Pages fold a block with a ``title``; ``kind`` names its class in templates and in JSON."""

    kind: ClassVar[str]
    title = ""


@dataclass(frozen=True)
class Text(Block):
    """A paragraph."""

    text: str
    kind = "text"


@dataclass(frozen=True)
class Items(Block):
    """A list of sentences. ``warning``: they are caveats."""

    texts: Sequence[str]
    warning: bool = False
    kind = "items"


@dataclass(frozen=True)
class Table(Block):
    """A table of texts. The first ``left`` columns are aligned to the left, the others, numbers, to the right.

    ``name`` is the name of its LaTeX file, without suffix.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    name: str = ""
    title: str = ""
    kind = "table"


@dataclass(frozen=True)
class Figure(Block):
    """A picture in the folder of the report, and its description. ``path`` names the PNG; pages prefer a small SVG."""

    path: str
    alt: str
    kind = "figure"


@dataclass(frozen=True)
class Code(Block):
    """Text in a fixed font, such as YAML."""

    text: str
    title: str = ""
    kind = "code"


@dataclass(frozen=True)
class Cards(Block):
    """Large images with predictions, on pages only."""

    cards: Sequence[Card]
    title: str = ""
    kind = "cards"


@dataclass(frozen=True)
class Gallery(Block):
    """Titled rows of small images, on pages only."""

    groups: Sequence[ImageGroup]
    kind = "gallery"


@dataclass(frozen=True)
class Films(Block):
    """Evolving images, on pages only. One slider plays the films together. ``open``: not folded at first."""

    films: Sequence[Film]
    title: str = ""
    open: bool = True
    kind = "films"


@dataclass(frozen=True)
class Charts(Block):
    """Charts of curves, on pages only."""

    charts: Sequence[Chart]
    kind = "charts"


_STORED: dict[str, type[Any]] = {each.kind: each for each in (Text, Items, Table, Figure, Code)}


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
    summary : the sections to read first
    details : the other sections
    pictures : sections that only pages show, between the summary and the details
    """

    FILE: ClassVar[str] = "report.json"

    title: str
    lead: str
    facts: Sequence[tuple[str, str]] = ()
    summary: Sequence[Section] = ()
    details: Sequence[Section] = ()
    pictures: Sequence[Section] = field(default=(), repr=False)

    def sections(self, output: str) -> list[Section]:
        """Return the sections that an output shows, in order; sections without blocks are left out."""
        every = (*self.summary, *self.pictures, *self.details)
        return [section for section in every if output in section.outputs and section.blocks]

    def to_json(self) -> str:
        """Return the content of ``report.json``: the report without the sections that only other outputs show."""
        content = {
            "title": self.title,
            "lead": self.lead,
            "facts": self.facts,
            "summary": [_data(each) for each in self.summary if HTML in each.outputs],
            "details": [_data(each) for each in self.details if HTML in each.outputs],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "Report":
        """Return the report in a folder. Any error means that the file is damaged."""
        content = read_json(folder / cls.FILE)
        summary, details = ([_section(each) for each in content[part]] for part in ("summary", "details"))
        return cls(**{**content, "summary": summary, "details": details})


def _data(section: Section) -> dict[str, Any]:
    blocks = [{"kind": block.kind, **vars(block)} for block in section.blocks]
    return {"title": section.title, "outputs": section.outputs, "blocks": blocks}


def _section(data: dict[str, Any]) -> Section:
    blocks = [
        _STORED[each["kind"]](**{name: value for name, value in each.items() if name != "kind"})
        for each in data["blocks"]
    ]
    return Section(data["title"], blocks, data["outputs"])
