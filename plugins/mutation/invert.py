"""Inverting mutation."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import DISCRETE
from ._places import hit


@mutation("invert", genome=DISCRETE)
def invert(images: Array, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Array:
    """Turn each value v with probability ``rate`` into its negative, 255 - v.

    Where values are black or white this is bit-flip mutation (Holland 1975); on grey values, of all their bits at once.
    """
    flat = images.reshape(-1)
    places = hit(flat.size, rate, rng)
    flat[places] = ~flat[places]
    return images
