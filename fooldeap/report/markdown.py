"""Render a report as Markdown."""

import textwrap
from collections.abc import Sequence

from fooldeap.report.model import MARKDOWN, Block, Code, Figure, Histogram, Items, Report, Table, Text
from fooldeap.terminal_text import markdown as escaped
from fooldeap.terminal_text import printable


def render(report: Report) -> str:
    """Return a report as Markdown. It links to the figures."""
    parts = [f"# {escaped(report.title)}", escaped(report.lead)]
    for section in report.shown(MARKDOWN):
        parts += [f"## {escaped(section.title)}", *(text for block in section.blocks if (text := _block(block)))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Text():
            return escaped(block.text)
        case Items():
            return "\n".join(f"- {escaped(text)}" for text in block.texts)
        case Table():
            return _titled(block.title, _table(block))
        case Histogram():
            return _table(block.table)
        case Figure():
            return f"![{escaped(block.alt)}]({block.path})"
        case Code():
            return _titled(block.title, textwrap.indent(printable(block.text).rstrip(), 4 * " "))
    return ""  # pages only


def _titled(title: str, text: str) -> str:
    return f"{escaped(title)}:\n\n{text}" if title else text


def _table(table: Table) -> str:
    ruler = "|" + "|".join("---" if index < table.left else "---:" for index in range(len(table.header))) + "|"
    return "\n".join([_row(table.header), ruler, *map(_row, table.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"
