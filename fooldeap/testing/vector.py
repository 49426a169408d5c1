"""The genome on which operators that take any array are tried."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fooldeap.plugin import Array, Images, Rng, dataclass, genome


@genome("vector")
@dataclass(frozen=True)
class Vector:
    """Vectors of real numbers from -1 to 1, one per value of the image. This genome is not registered."""

    shape: tuple[int, int, int]
    dtype: ClassVar[str] = "float64"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def sample(self, count: int, rng: Rng) -> Array:
        """Return float64 (count, h * w * c)."""
        return rng.uniform(-1, 1, (count, int(np.prod(self.shape))))

    def decode(self, genomes: Array) -> Images:
        """Return images uint8 (n, h, w, c)."""
        images: Images = np.rint(127.5 * (genomes + 1)).astype(np.uint8).reshape(-1, *self.shape)
        return images

    def take(self, genomes: Array, indices: Sequence[int] | Array) -> Array:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)
