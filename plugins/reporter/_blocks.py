"""Images in a terminal. Each character is a half block, which shows two pixels, one above the other."""

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

MAX_WIDTH, PREFERRED_WIDTH, MIN_WIDTH = 14, 12, 9  # of an image, in columns of the terminal
GAP = 1  # columns between two images
STEPS = 8  # between two colour levels; fewer levels are drawn faster, and more are not visible in half blocks


class Grid(NamedTuple):
    """A grid of images.

    ``width`` and ``height`` are the columns and lines of one image without its caption. ``across`` and ``down`` are the
    numbers of images per row and of rows.
    """

    width: int
    height: int
    across: int
    down: int

    @classmethod
    def of(cls, width: int, count: int, aspect: float, columns: int) -> "Grid":
        """Return the grid of ``count`` images of ``width`` columns. ``aspect`` is height / width of an image."""
        max_across = max(1, min(count, (columns + GAP) // (width + GAP)))
        down = math.ceil(count / max_across)
        return cls(width, max(1, math.ceil(width * aspect / 2)), math.ceil(count / down), down)

    @property
    def lines(self) -> int:
        """The number of lines of the grid, with captions."""
        return self.down * (self.height + 1)

    @property
    def places(self) -> int:
        """The number of images that fit into the grid."""
        return self.across * self.down


def fit_grid(count: int, aspect: float, columns: int, lines: int) -> Grid:
    """Return the grid of images for an area of a terminal.

    Few rows of large images are preferred. The images become smaller if they do not fit otherwise, and fewer if even
    the smallest do not fit. The grid has no places if the area is too small for one image.
    """
    grids = [Grid.of(width, count, aspect, columns) for width in range(MAX_WIDTH, MIN_WIDTH - 1, -1)]
    preferred = min((grid for grid in grids if grid.width >= PREFERRED_WIDTH), key=lambda grid: grid.down)
    for grid in (preferred, *grids):
        if grid.lines <= lines and grid.width <= columns:
            return grid
    smallest = grids[-1]
    room = (columns + GAP) // (MIN_WIDTH + GAP) * (max(0, lines) // (smallest.height + 1))
    return Grid.of(MIN_WIDTH, min(count, room), aspect, columns) if room else smallest._replace(down=0)


class Picture(NamedTuple):
    """An image uint8 (h, w, c) with its caption."""

    image: Images
    caption: str
    style: str = ""


class Mosaic:
    """Pictures in a grid, as a rich renderable.

    ``cramped`` says that in a larger area the pictures would be larger or more numerous.
    """

    def __init__(self, pictures: Sequence[Picture], grid: Grid, *, cramped: bool = False) -> None:
        self.pictures, self.grid, self.cramped = pictures, grid, cramped

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments, row by row."""
        grid = self.grid
        for start in range(0, len(self.pictures), grid.across):
            row = self.pictures[start : start + grid.across]
            drawn = [draw_cells(each.image, grid.width, grid.height) for each in row]
            for line in zip(*drawn, strict=True):
                yield from _join_lines(line)
            captions = [
                [Segment(each.caption[: grid.width].center(grid.width), console.get_style(each.style))] for each in row
            ]
            yield from _join_lines(captions)


def _join_lines(parts: Sequence[list[Segment]]) -> RenderResult:
    for part in parts:
        yield from part
        yield Segment(" " * GAP)
    yield Segment.line()


def draw_cells(image: Images, width: int, height: int) -> list[list[Segment]]:
    """Draw an image as ``height`` lines of ``width`` characters. Each shows two averages of pixels."""
    small = average_pixels(image, width, 2 * height) // STEPS * STEPS
    colours = np.concatenate([small[0::2], small[1::2]], axis=2).tolist()
    return [[Segment("▀", _cell_style(*cell)) for cell in line] for line in colours]


def average_pixels(image: Images, width: int, height: int) -> Images:
    """Resize an image uint8 (h, w, c) to (height, width, 3). Each new pixel is the average of its area."""
    from PIL import Image

    original = Image.fromarray(image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3])
    small = np.asarray(original.resize((width, height), Image.Resampling.BOX))
    return np.repeat(small[:, :, None], 3, axis=2) if small.ndim == 2 else small


@functools.lru_cache(maxsize=1 << 13)
def _cell_style(*levels: int) -> Style:
    return Style.from_color(_to_colour(*levels[:3]), _to_colour(*levels[3:]))


@functools.lru_cache(maxsize=1 << 12)
def _to_colour(red: int, green: int, blue: int) -> Color:
    return Color.from_rgb(red, green, blue)
