"""Direct encoding: the genome is the image."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fooldeap.plugin import Array, Images, Rng, dataclass, genome


@genome("pixels")
@dataclass(frozen=True)
class Pixels:
    """The grey values of an image themselves, uniform at random at the start.

    The direct encoding of Nguyen, Yosinski and Clune (2015).
    """

    shape: tuple[int, int, int]
    dtype: ClassVar[str] = "uint8"
    bounds: ClassVar[tuple[float, float]] = (0, 255)

    def sample(self, count: int, rng: Rng) -> Images:
        """Return images uint8 (count, h, w, c) of uniform noise."""
        return rng.integers(0, 256, (count, *self.shape), dtype=np.uint8)

    def decode(self, genomes: Images) -> Images:
        """Return the genomes: they are the images."""
        return genomes

    def take(self, genomes: Images, indices: Sequence[int] | Array) -> Images:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)
