"""Coarse direct encoding: the genome is a small image."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Images, Rng, StartImages, dataclass, genome

from .._grey import to_grey


@genome("blocks")
@dataclass(frozen=True)
class Blocks:
    """The grey values of a small image, whose pixels are enlarged to squares.

    Each square is ``side`` pixels wide. Squares at the right and lower edge are cropped to the image. The first
    population has uniform random values from 0 to 255. ``start`` names images with which the first population begins;
    each square gets the mean of its pixels.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    side: Annotated[int, Ge(1)] = 4
    start: StartImages | None = None
    dtype: ClassVar[str] = "uint8"
    bounds: ClassVar[tuple[float, float]] = (0, 255)

    def sample(self, count: int, rng: Rng) -> Images:
        """Return small images uint8 (count, rows, columns, c)."""
        height, width, channels = self.shape
        rows, columns = -(-height // self.side), -(-width // self.side)
        return rng.integers(0, 256, (count, rows, columns, channels), dtype=np.uint8)

    def decode(self, genomes: Images) -> Images:
        """Return images uint8 (n, h, w, c)."""
        height, width, _ = self.shape
        wide = genomes.repeat(min(self.side, width), axis=2)[:, :, :width]
        return wide.repeat(min(self.side, height), axis=1)[:, :height]

    def encode(self, images: Images) -> Images:
        """Return small images uint8 (n, rows, columns, c)."""
        height, width, _ = self.shape
        rows, columns = np.arange(0, height, self.side), np.arange(0, width, self.side)
        sums = np.add.reduceat(np.add.reduceat(images.astype(np.int64), rows, axis=1), columns, axis=2)
        sizes = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
        return to_grey(sums / sizes[:, :, None])

    def take(self, genomes: Images, indices: Sequence[int] | Array) -> Images:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)
