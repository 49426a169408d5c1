"""Indirect encoding: an image as a function of its coordinates."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Array, Ge, Gt, Images, InputError, Rng, dataclass, genome

from .._grey import to_grey
from ._network import FUNCTIONS, INPUTS, Network, compute_blocks, input_grid


@genome("cppn")
@dataclass(frozen=True)
class Cppn:
    """A small network that computes the colour of each pixel from its coordinates.

    This is a compositional pattern-producing network (Stanley 2007), as in Nguyen, Yosinski and Clune (2015). Its
    inputs are x, y, the distance to the centre, and a bias. Its nodes are sine, sigmoid, Gaussian or clipped linear
    functions with values from -1 to 1. Each individual has its own topology. In the first population there are no
    hidden nodes, and every input is linked to every output with a normal weight of standard deviation ``sigma``. An
    output of -1 is black, and 1 is white. Colour images have three outputs: hue, saturation and value. With ``canvas``,
    the network draws a square of ``canvas`` x ``canvas`` pixels, and the image is its centre.
    """

    shape: tuple[int, int, int]
    _: KW_ONLY
    sigma: Annotated[float, Gt(0)] = 1.5
    canvas: Annotated[int, Ge(1)] | None = None
    dtype: ClassVar[None] = None
    bounds: ClassVar[None] = None
    costly: ClassVar[bool] = True

    def __post_init__(self) -> None:
        height, width, _ = self.shape
        if self.canvas is not None and self.canvas < max(height, width):
            raise InputError(
                f"canvas: got {self.canvas}, expected at least {max(height, width)} for an image of {height} x {width}"
            )

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
        images = np.empty((len(genomes), height * width, channels), np.uint8)
        for part, block, values in compute_blocks(genomes, input_grid(height, width, self.canvas)):
            shares = np.moveaxis((values + 1) / 2, 1, 0)
            for channel, share in enumerate(shares if channels == 1 else _hsv_to_rgb(*shares)):
                images[part, block, channel] = to_grey(255 * share)
        return images.reshape(-1, *self.shape)

    def take(self, genomes: list[Network], indices: Sequence[int] | Array) -> list[Network]:
        """Return copies of the genomes at ``indices``."""
        return [genomes[index].copy() for index in indices]


def _hsv_to_rgb(hue: Array, saturation: Array, value: Array) -> Iterator[Array]:
    """Yield red, green and blue (Smith 1978). All values are from 0 to 1."""
    hue, saturation = 6 * hue, value * saturation
    for offset in (5, 3, 1):
        sector = hue + np.float32(offset)
        sector -= np.float32(6) * (sector >= 6)  # the same bits as % 6 from 0 to 12, and faster
        yield value - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)
