"""Indirect encoding: an image as a function of its coordinates."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Array, Gt, Images, Rng, dataclass, genome

from .._grey import to_grey
from ._network import FUNCTIONS, INPUTS, Network, compute_outputs, input_grid


@genome("cppn")
@dataclass(frozen=True)
class Cppn:
    """A small network that computes the colour of each pixel from its coordinates.

    This is a compositional pattern-producing network (Stanley 2007), as in Nguyen, Yosinski and Clune (2015). Its
    inputs are x, y, the distance to the centre, and a bias. Its nodes are sine, sigmoid, Gaussian or clipped linear
    functions with values from -1 to 1. Each individual has its own topology. In the first population there are no
    hidden nodes, and every input is linked to every output with a normal weight of standard deviation ``sigma``. An
    output of -1 is black, and 1 is white. Colour images have three outputs: hue, saturation and value.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    sigma: Annotated[float, Gt(0)] = 1.5
    dtype: ClassVar[None] = None
    bounds: ClassVar[None] = None
    costly: ClassVar[bool] = True

    def sample(self, count: int, rng: Rng) -> list[Network]:
        """Return ``count`` networks without hidden nodes."""
        outputs = self.shape[2]
        functions = rng.integers(len(FUNCTIONS), size=(count, outputs))
        weights = (self.sigma * rng.standard_normal((count, INPUTS * outputs))).astype(np.float32)
        sources, targets = np.tile(np.arange(INPUTS), outputs), np.repeat(INPUTS + np.arange(outputs), INPUTS)
        return [
            Network(own.copy(), sources.copy(), targets.copy(), links.copy(), outputs)
            for own, links in zip(functions, weights, strict=True)
        ]

    def decode(self, genomes: list[Network]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        height, width, channels = self.shape
        if not genomes:
            return np.empty((0, *self.shape), np.uint8)
        values = compute_outputs(genomes, input_grid(height, width))
        values = np.moveaxis(values.reshape(len(genomes), channels, height, width), 1, 3)
        shares = (values + 1) / 2
        return to_grey(255 * (shares if channels == 1 else _hsv_to_rgb(shares)))

    def take(self, genomes: list[Network], indices: Sequence[int] | Array) -> list[Network]:
        """Return copies of the genomes at ``indices``."""
        return [genomes[index].copy() for index in indices]


def _hsv_to_rgb(hsv: Array) -> Array:
    """Convert hue, saturation and value to red, green and blue (Smith 1978).

    All are from 0 to 1, on the last axis.
    """
    hue, saturation, value = (hsv[..., index, None] for index in range(3))
    sector = (np.array([5, 3, 1], np.float32) + 6 * hue) % 6
    rgb: Array = value - value * saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return rgb
