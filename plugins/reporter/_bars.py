"""Progress bars in a terminal, one per line."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

WIDTH = 16


class Bar(NamedTuple):
    """A progress bar: its share ``done`` from 0 to 1, the name on its left, and the note on its right."""

    name: str
    done: float
    note: str


class Bars:
    """Progress bars, one below the other, as a rich renderable. Long lines are cut off."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments, one line per bar."""
        longest = max(len(bar.name) for bar in self.bars)
        for bar in self.bars:
            cells = round(WIDTH * min(1.0, bar.done))
            yield Segment(f"{bar.name:<{longest}} ")
            yield Segment("━" * cells, console.get_style("bar.finished" if bar.done >= 1 else "bar.complete"))
            yield Segment("━" * (WIDTH - cells), console.get_style("bar.back"))
            yield Segment(f" {bar.note}"[: max(0, options.max_width - longest - WIDTH - 1)])
            yield Segment.line()
