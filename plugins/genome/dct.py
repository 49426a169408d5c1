"""An image as its lowest frequencies."""

import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Gt, Images, InputError, Rng, dataclass, genome

from .._grey import to_grey

GREY = 127.5  # what an image without any waves is


@genome("dct")
@dataclass(frozen=True)
class Dct:
    """The lowest cosine coefficients of an image: few numbers, and smooth images.

    A genome holds the ``size`` x ``size`` lowest coefficients of each channel, of the orthonormal two-dimensional
    DCT-II (Ahmed, Natarajan and Rao 1974), in grey levels; the image is 127.5 and their waves, rounded and clipped to
    0 ... 255. The first coefficients are normal, with standard deviation ``sigma`` / (1 + u + v) ** ``decay`` for u and
    v half waves across the image: the larger, the more of an image is black or white.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    size: Annotated[int, Ge(1)] = 8
    sigma: Annotated[float, Gt(0)] = 350.0
    decay: Annotated[float, Ge(0)] = 0.0
    dtype: ClassVar[str] = "float64"
    bounds: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.size > min(self.shape[:2]):
            height, width = self.shape[:2]
            raise InputError(
                f"size: got {self.size}, but an image of {height} x {width} has at most {min(self.shape[:2])}"
            )

    def sample(self, count: int, rng: Rng) -> NDArray[np.float64]:
        """Return coefficients float64 (count, channels, size, size)."""
        frequencies = np.add.outer(np.arange(self.size), np.arange(self.size))
        scale = self.sigma / (1.0 + frequencies) ** self.decay
        return scale * rng.standard_normal((count, self.shape[2], self.size, self.size))

    def decode(self, genomes: NDArray[np.float64]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        height, width, _ = self.shape
        # A stack of products is taken one by one, so that no image depends on the number of the others.
        waves = cosines(height, self.size) @ genomes @ cosines(width, self.size).T
        waves += GREY
        return np.moveaxis(to_grey(waves), 1, 3)

    def take(self, genomes: NDArray[np.float64], indices: Sequence[int] | Array) -> NDArray[np.float64]:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)


@functools.cache
def cosines(length: int, count: int) -> NDArray[np.float64]:
    """Return the ``count`` lowest waves over so many pixels, (length, count), each of norm 1."""
    places, frequencies = np.arange(length) + 0.5, np.arange(count)
    waves: NDArray[np.float64] = np.sqrt(2 / length) * np.cos(np.pi * np.outer(places, frequencies) / length)
    waves[:, 0] /= np.sqrt(2)
    return waves
