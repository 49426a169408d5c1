"""Indirect encoding: an image as a sum of its lowest frequencies."""

import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Gt, Images, InputError, Rng, StartImages, dataclass, genome

from .._grey import to_grey

GREY = 127.5  # grey value of an image whose coefficients are all 0


@genome("dct")
@dataclass(frozen=True)
class Dct:
    """The low frequencies of an image (coarse light and dark areas): few genes, smooth images.

    A genome has ``size`` x ``size`` coefficients per channel, in grey levels. They belong to the orthonormal
    two-dimensional DCT-II (Ahmed, Natarajan and Rao 1974). The image is 127.5 plus the sum of their waves, rounded and
    clipped to 0 ... 255. In the first population, the coefficient of u and v half waves across the image is normal with
    standard deviation ``sigma`` / (1 + u + v) ** ``decay``. The larger ``sigma``, the larger the black and white areas.
    ``sigma`` is the value for 28 x 28 pixels. For other sizes, it is multiplied by the square root of the number of
    pixels, divided by 28, so that images of any size have the same contrast. ``start`` names images with which the
    first population begins; their higher frequencies are lost.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    size: Annotated[int, Ge(1)] = 8
    sigma: Annotated[float, Gt(0)] = 350.0
    decay: Annotated[float, Ge(0)] = 0.0
    start: StartImages | None = None
    dtype: ClassVar[str] = "float64"
    bounds: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.size > min(self.shape[:2]):
            height, width = self.shape[:2]
            raise InputError(
                f"size: got {self.size}, expected at most {min(self.shape[:2])} for an image of {height} x {width}"
            )

    def sample(self, count: int, rng: Rng) -> NDArray[np.float64]:
        """Return coefficients float64 (count, channels, size, size)."""
        frequencies = np.add.outer(np.arange(self.size), np.arange(self.size))
        height, width, channels = self.shape
        sigma = self.sigma * (math.sqrt(height * width) / 28)
        scale = sigma / (1.0 + frequencies) ** self.decay
        return scale * rng.standard_normal((count, channels, self.size, self.size))

    def decode(self, genomes: NDArray[np.float64]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        height, width, _ = self.shape
        # numpy multiplies the matrices of a stack one by one, so no image depends on the number of images.
        waves = cosines(height, self.size) @ genomes @ cosines(width, self.size).T
        waves += GREY
        return np.moveaxis(to_grey(waves), 1, 3)

    def encode(self, images: Images) -> NDArray[np.float64]:
        """Return coefficients float64 (n, channels, size, size). The waves are orthonormal, so they are the nearest."""
        height, width, _ = self.shape
        values = np.ascontiguousarray(np.moveaxis(images, 3, 1)) - GREY
        coefficients: NDArray[np.float64] = cosines(height, self.size).T @ values @ cosines(width, self.size)
        return coefficients

    def take(self, genomes: NDArray[np.float64], indices: Sequence[int] | Array) -> NDArray[np.float64]:
        """Return copies of the genomes at ``indices``."""
        return genomes.take(indices, axis=0)


@functools.cache
def cosines(length: int, count: int) -> NDArray[np.float64]:
    """Return the ``count`` lowest cosine waves over ``length`` pixels, (length, count), each with norm 1."""
    pixels, frequencies = np.arange(length) + 0.5, np.arange(count)
    waves: NDArray[np.float64] = np.sqrt(2 / length) * np.cos(np.pi * np.outer(pixels, frequencies) / length)
    waves[:, 0] /= np.sqrt(2)
    return waves
