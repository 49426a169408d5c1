"""The display in a notebook: progress bars in the output of the cell."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from fooldeap.plugin import BestYet, RunInfo, RunResult
from fooldeap.terminal_text import printable

from ._bars import Bar


class NotebookView:
    """Progress bars that the browser draws. They are removed at the end; the notebook shows the result itself.

    It has the methods of `View`.
    """

    def __init__(self) -> None:
        from IPython.display import HTML, display  # every notebook has it

        self._html: Any = HTML
        self._handle = display(HTML(""), display_id=True)

    def draw(self, bars: Sequence[Bar], *, least: int = 1) -> None:
        """Draw the bars."""
        rows = [
            f"<tr><td>{_text(bar.name)}</td><td><progress max='1' value='{min(1.0, bar.done):.4f}'></progress></td>"
            f"<td style='text-align:left'>{_text(bar.note)}</td></tr>"
            for bar in bars
        ]
        self._handle.update(self._html(f"<table>{''.join(rows)}</table>"))

    def close(self) -> None:
        """Remove the bars."""
        self._handle.update(self._html(""))

    def watch(self, run: RunInfo, best: BestYet) -> None:
        """Show nothing: a notebook shows images at the end."""

    def keep(self, result: RunResult) -> None:
        """Show nothing."""

    def prefer(self, runs: Iterable[tuple[int, int]]) -> None:
        """Show nothing."""

    def show_only(self, results: Iterable[RunResult]) -> None:
        """Show nothing."""

    def print_images(self) -> None:
        """Show nothing."""


def _text(text: str) -> str:
    return escape(printable(text))
