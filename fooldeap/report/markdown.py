"""Convert a report in Markdown to sections of a page.

HTML in the report is shown as text. Only pictures in the folder of the report are embedded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fooldeap.errors import InputError
from fooldeap.report import sources
from fooldeap.report.parts import data_uri
from fooldeap.storage.inputs import read
from fooldeap.terminal_text import printable

# Titles of sections in reports. The second title is that of earlier versions.
CAVEATS = ("Caveats", "Before you read on")
PROVENANCE = ("Provenance",)

LARGEST_SVG = 1 << 19  # bytes; instead of a larger SVG, the PNG is embedded
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class Part(NamedTuple):
    """A section of a report: its title, its id and its HTML. The text before the first heading has an empty title."""

    title: str
    id: str
    html: Any


def parts(folder: Path, name: str) -> list[Part]:
    """Return the sections of a report without its title; the pictures of its folder are embedded."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    rules: dict[str, Any] = reader.renderer.rules  # type: ignore[attr-defined]
    rules["image"] = lambda tokens, index, *_: _image_tag(folder, tokens[index])
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
    rules["table_close"] = lambda *_: "</table></div>"
    text = printable(sources.text(folder / name))
    return [Part(title, _id(title), Markup(reader.render(body))) for title, body in _split(text)]


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield the title and the Markdown of each section."""
    first, *others = re.split(r"^## ", text, flags=re.MULTILINE)
    yield "", re.sub(r"\A# .*\n", "", first)
    for other in others:
        title, _, body = other.partition("\n")
        yield re.sub(r"\\(.)", r"\1", title.strip()), body


def _id(title: str) -> str:
    return "report-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _image_tag(folder: Path, token: Any) -> str:
    from markupsafe import escape

    text, source = escape(token.content), _embed(folder, str(token.attrs.get("src", "")))
    return f'<img src="{source}" alt="{text}" title="{text}">' if source else f"<i>{text}</i>"


def _embed(folder: Path, name: str) -> str | None:
    """Return a picture of the folder as a data URI: its SVG if that exists and is small, otherwise its PNG."""
    try:
        path = sources.inside(folder, name)
    except InputError:
        return None
    svg = path.with_suffix(".svg")
    chosen = svg if svg.is_file() and svg.stat().st_size <= LARGEST_SVG else path
    if chosen.suffix not in _KINDS or not chosen.is_file():
        return None
    return data_uri(read(chosen), _KINDS[chosen.suffix])
