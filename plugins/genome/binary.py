"""Direct encoding in black and white."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Images, Le, Rng, StartImages, dataclass, genome


@genome("binary")
@dataclass(frozen=True)
class Binary:
    """The pixels of an image, where each channel value is black (0) or white (255).

    In the first population, each value is white with probability ``white``, independently. ``start`` names images with
    which the first population begins; their grey values from 128 on become white.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    white: Annotated[float, Ge(0), Le(1)] = 0.5
    start: StartImages | None = None
    dtype: ClassVar[str] = "bool"
    bounds: ClassVar[tuple[float, float]] = (0, 1)

    def sample(self, count: int, rng: Rng) -> NDArray[np.bool_]:
        """Return genomes bool (count, h, w, c), true where the image is white."""
        return rng.random((count, *self.shape)) < self.white

    def decode(self, genomes: NDArray[np.bool_]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        images: Images = genomes.astype(np.uint8) * np.uint8(255)
        return images

    def encode(self, images: Images) -> NDArray[np.bool_]:
        """Return genomes bool (n, h, w, c), true where the image is lighter than mid-grey."""
        return images >= 128

    def take(self, genomes: NDArray[np.bool_], indices: Sequence[int] | Array) -> NDArray[np.bool_]:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)
