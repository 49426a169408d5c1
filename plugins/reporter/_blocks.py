"""Images in a terminal: a cell is a half block, two pixels one above the other; and how many of them fit."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from fooldeap.plugin import Images

WIDEST, EASY, LEAST = 14, 12, 9  # columns that an image takes: at most, gladly, and at least
GAP = 1
STEPS = 8  # between two levels of a colour; a half block is too small to show more, and fewer are drawn faster


class Grid(NamedTuple):
    """Images in rows: so many columns a picture, lines a picture without its caption, pictures a row, and rows."""

    width: int
    height: int
    across: int
    down: int

    @classmethod
    def of(cls, width: int, count: int, aspect: float, columns: int) -> "Grid":
        """Return the grid of ``count`` images that are so wide, and ``aspect`` times as high."""
        most = max(1, min(count, (columns + GAP) // (width + GAP)))
        down = math.ceil(count / most)
        return cls(width, max(1, math.ceil(width * aspect / 2)), math.ceil(count / down), down)

    @property
    def lines(self) -> int:
        """How many lines it takes."""
        return self.down * (self.height + 1)

    @property
    def places(self) -> int:
        """How many images it has room for."""
        return self.across * self.down


def fitted(count: int, aspect: float, columns: int, lines: int) -> Grid:
    """Return the grid for a room: few rows of large images, small ones where it must be, and no more than fit.

    It has no places where not even one fits.
    """
    grids = [Grid.of(width, count, aspect, columns) for width in range(WIDEST, LEAST - 1, -1)]
    easy = min((grid for grid in grids if grid.width >= EASY), key=lambda grid: grid.down)
    for grid in (easy, *grids):
        if grid.lines <= lines and grid.width <= columns:
            return grid
    least = grids[-1]
    room = (columns + GAP) // (LEAST + GAP) * (max(0, lines) // (least.height + 1))
    return Grid.of(LEAST, min(count, room), aspect, columns) if room else least._replace(down=0)


class Picture(NamedTuple):
    """An image uint8 (h, w, c), with what stands below it."""

    image: Images
    caption: str
    style: str = ""


class Mosaic:
    """Pictures in a grid, as rich renders them.

    ``cramped`` says that with more room they would be larger, or more.
    """

    def __init__(self, pictures: Sequence[Picture], grid: Grid, *, cramped: bool = False) -> None:
        self.pictures, self.grid, self.cramped = pictures, grid, cramped

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the grid row by row."""
        grid = self.grid
        for start in range(0, len(self.pictures), grid.across):
            row = self.pictures[start : start + grid.across]
            drawn = [cells(each.image, grid.width, grid.height) for each in row]
            for line in zip(*drawn, strict=True):
                yield from _beside(line)
            captions = [
                [Segment(each.caption[: grid.width].center(grid.width), console.get_style(each.style))] for each in row
            ]
            yield from _beside(captions)


def _beside(parts: Sequence[list[Segment]]) -> RenderResult:
    for part in parts:
        yield from part
        yield Segment(" " * GAP)
    yield Segment.line()


def cells(image: Images, width: int, height: int) -> list[list[Segment]]:
    """Return an image as ``height`` lines of ``width`` cells, two averages of its pixels in each."""
    small = averaged(image, width, 2 * height) // STEPS * STEPS
    colours = np.concatenate([small[0::2], small[1::2]], axis=2).tolist()
    return [[Segment("▀", _style(*cell)) for cell in line] for line in colours]


def averaged(image: Images, width: int, height: int) -> Images:
    """Return an image uint8 (h, w, c) at another size, (height, width, 3), its pixels averaged by area."""
    from PIL import Image

    flat = Image.fromarray(image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3])
    small = np.asarray(flat.resize((width, height), Image.Resampling.BOX))
    return np.repeat(small[:, :, None], 3, axis=2) if small.ndim == 2 else small


@functools.lru_cache(maxsize=1 << 13)
def _style(*levels: int) -> Style:
    return Style.from_color(_colour(*levels[:3]), _colour(*levels[3:]))


@functools.lru_cache(maxsize=1 << 12)
def _colour(red: int, green: int, blue: int) -> Color:
    return Color.from_rgb(red, green, blue)
