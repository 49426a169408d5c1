"""Bars in a terminal, a line each."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

WIDTH = 16


class Bar(NamedTuple):
    """How much of something is done, from 0 to 1, with what stands on the left and on the right of it."""

    name: str
    done: float
    note: str


class Bars:
    """Bars one below the other, as rich renders them; what is too long for a line is cut off."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a line a bar."""
        longest = max(len(bar.name) for bar in self.bars)
        for bar in self.bars:
            cells = round(WIDTH * min(1.0, bar.done))
            yield Segment(f"{bar.name:<{longest}} ")
            yield Segment("━" * cells, console.get_style("bar.finished" if bar.done >= 1 else "bar.complete"))
            yield Segment("━" * (WIDTH - cells), console.get_style("bar.back"))
            yield Segment(f" {bar.note}"[: max(0, options.max_width - longest - WIDTH - 1)])
            yield Segment.line()
