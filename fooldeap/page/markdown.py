"""Reports in Markdown as parts of a page: no HTML of theirs, and no picture but those of their own folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fooldeap.errors import InputError
from fooldeap.lines import printable
from fooldeap.page import sources
from fooldeap.page.parts import data_uri
from fooldeap.storage.inputs import read

LARGEST_DRAWING = 1 << 19  # bytes of an SVG that are worth their sharpness; else its PNG is taken
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class Part(NamedTuple):
    """A section of a report: its title, which is empty before the first one, an id, and its HTML."""

    title: str
    id: str
    html: Any


def parts(folder: Path, name: str) -> list[Part]:
    """Return the sections of a report below its own title, with the pictures that lie in its folder."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    rules: dict[str, Any] = reader.renderer.rules  # type: ignore[attr-defined]
    rules["image"] = lambda tokens, index, *_: _picture(folder, tokens[index])
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
    rules["table_close"] = lambda *_: "</table></div>"
    text = printable(sources.text(folder / name))
    return [Part(title, _id(title), Markup(reader.render(body))) for title, body in _sections(text)]


def _sections(text: str) -> Iterator[tuple[str, str]]:
    first, *others = re.split(r"^## ", text, flags=re.MULTILINE)
    yield "", re.sub(r"\A# .*\n", "", first)
    for other in others:
        title, _, body = other.partition("\n")
        yield re.sub(r"\\(.)", r"\1", title.strip()), body


def _id(title: str) -> str:
    return "report-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _picture(folder: Path, token: Any) -> str:
    from markupsafe import escape

    words, source = escape(token.content), _embedded(folder, str(token.attrs.get("src", "")))
    return f'<img src="{source}" alt="{words}" title="{words}">' if source else f"<i>{words}</i>"


def _embedded(folder: Path, name: str) -> str | None:
    """Return a picture of the folder as an address: drawn, where that is small, else as a PNG."""
    try:
        place = sources.inside(folder, name)
    except InputError:
        return None
    drawn = place.with_suffix(".svg")
    small = drawn.is_file() and drawn.stat().st_size <= LARGEST_DRAWING
    chosen = drawn if small else place
    if chosen.suffix not in _KINDS or not chosen.is_file():
        return None
    return data_uri(read(chosen), _KINDS[chosen.suffix])
