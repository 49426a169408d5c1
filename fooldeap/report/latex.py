"""Render the tables of a report as LaTeX."""

from collections.abc import Sequence

from fooldeap.report.model import LATEX, Report, Table
from fooldeap.terminal_text import printable

_PAGE = 44  # rows of a table that fits on one page
_TEX = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "∞": r"$\infty$",
    "\u202f": r"\,",
    "×": r"$\times$",
}


def render(report: Report) -> dict[str, str]:
    r"""Return the tables by file name. They need ``\usepackage{booktabs}``; long tables also need ``longtable``."""
    blocks = (block for section in report.shown(LATEX) for block in section.blocks)
    return {f"{block.name}.tex": _table(block) for block in blocks if isinstance(block, Table)}


def _table(table: Table) -> str:
    environment = "longtable" if len(table.rows) > _PAGE else "tabular"
    columns = "l" * table.left + "r" * (len(table.header) - table.left)
    lines = [rf"\begin{{{environment}}}{{{columns}}}", r"\toprule", _row(table.header), r"\midrule"]
    lines += [r"\endhead"] if environment == "longtable" else []
    return "\n".join([*lines, *map(_row, table.rows), r"\bottomrule", rf"\end{{{environment}}}", ""])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(cell: str) -> str:
    text = "".join(_TEX.get(character, character) for character in printable(cell))
    # After a line break \\, a bracket would start an optional argument.
    return "{[}" + text[1:] if text.startswith("[") else text
