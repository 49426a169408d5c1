"""Direct encoding: the genome is the image."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Images, Le, Rng, StartImages, dataclass, genome


@genome("pixels")
@dataclass(frozen=True)
class Pixels:
    """The grey values of an image. Each value is a gene.

    This is the direct encoding of Nguyen, Yosinski and Clune (2015). ``start`` selects the first population:
    ``uniform`` random values from 0 to 255, or ``constant`` images with the grey value ``value``. Then each pixel is
    set to black with probability ``black``, independently. ``start`` may also name images, with which the first
    population begins: a folder, an ``.npz`` file, a dataset, or a folder of fooldeap. The others are then random.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    start: Literal["uniform", "constant"] | StartImages = "uniform"
    value: Annotated[int, Ge(0), Le(255)] = 128
    black: Annotated[float, Ge(0), Le(1)] = 0.0
    dtype: ClassVar[str] = "uint8"
    bounds: ClassVar[tuple[float, float]] = (0, 255)

    def sample(self, count: int, rng: Rng) -> Images:
        """Return images uint8 (count, h, w, c)."""
        if self.start == "constant":
            images = np.full((count, *self.shape), self.value, np.uint8)
        else:
            images = rng.integers(0, 256, (count, *self.shape), dtype=np.uint8)
        if self.black:
            images[rng.random(images.shape[:3]) < self.black] = 0
        return images

    def decode(self, genomes: Images) -> Images:
        """Return the genomes, which are images uint8 (n, h, w, c)."""
        return genomes

    def encode(self, images: Images) -> Images:
        """Return the images."""
        return images

    def take(self, genomes: Images, indices: Sequence[int] | Array) -> Images:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)
