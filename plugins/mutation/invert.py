"""Inverting mutation."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import DISCRETE
from ._places import draw_positions


@mutation("invert", genome=DISCRETE)
def invert(images: Array, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Array:
    """Replace each gene v with probability ``rate`` by its negative, 255 - v.

    On black and white this is bit-flip mutation (Holland 1975). On grey values, all eight bits are flipped.
    """
    flat = images.reshape(-1)
    positions = draw_positions(flat.size, rate, rng)
    flat[positions] = ~flat[positions]
    return images
