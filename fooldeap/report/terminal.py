"""Render the summary of a report for the terminal."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from fooldeap.report.model import TERMINAL, Block, Histogram, Items, Report, Table, Text

WIDTH = 100  # columns
MOST_LINES = 12  # of a list
_LONGEST_CELL = 36
_NO_BREAK = "\0"  # stands for a space at which a line may not be broken
_UNBROKEN = re.compile(r"\w+ [=<] \S+|\S+ %|ratio \S+ \[[^][]*\]|\[[^][]*\]")


def render(report: Report) -> str:
    """Return the sections for the terminal, at most `WIDTH` columns wide. Long lists are cut."""
    parts = ["\n".join(_wrapped(report.lead))]
    for section in report.shown(TERMINAL):
        lines = [f"{section.title}:"]
        for block in section.blocks:
            space = [""] if isinstance(block, Table | Histogram) else []
            lines += [*space, *_block(block), *space]
        parts.append("\n".join(lines).rstrip())
    return "\n\n".join(parts)


def _block(block: Block) -> Sequence[str]:
    match block:
        case Text():
            return _wrapped(block.text)
        case Items():
            return _items(block.texts)
        case Table():
            return list(_table(block))
        case Histogram():
            return list(_table(block.table))
    return ()  # documents only


def _items(texts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for index, text in enumerate(texts):
        own = _wrapped(f"- {text}", "  ")
        left = len(texts) - index
        if len(lines) + len(own) + (left > 1) > MOST_LINES:
            return [*lines, f"… {left} more {'is' if left == 1 else 'are'} in report.md."]
        lines += own
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    joined = _UNBROKEN.sub(lambda match: match.group().replace(" ", _NO_BREAK), text)
    lines = textwrap.wrap(joined, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _table(table: Table) -> Iterator[str]:
    """Yield a table in columns. If it is too wide, columns are left out, from the last but one on."""
    rows = [[_cut(cell) for cell in row] for row in table.rows]
    header = list(table.header)
    while True:
        widths = [max(map(len, [*words.split(" "), *cells])) for words, *cells in zip(header, *rows, strict=True)]
        if sum(widths) + 2 * len(widths) - 2 <= WIDTH or len(widths) <= 2:
            break
        for row in (header, *rows):
            del row[-2]
    wrapped = [textwrap.wrap(cell, width, break_on_hyphens=False) for cell, width in zip(header, widths, strict=True)]
    height = max(map(len, wrapped))
    above = [[*[""] * (height - len(lines)), *lines] for lines in wrapped]
    for cells in [*zip(*above, strict=True), *rows]:
        sides = (str.ljust if index < table.left else str.rjust for index in range(len(cells)))
        yield "  ".join(side(cell, width) for side, cell, width in zip(sides, cells, widths, strict=True)).rstrip()


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else cell[: _LONGEST_CELL - 1] + "…"
