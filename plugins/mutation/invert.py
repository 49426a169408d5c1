"""Inverting mutation."""

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation

from ._places import hit


@mutation("invert", genome="pixels")
def invert(images: Images, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Images:
    """Turn each value v with probability ``rate`` into its negative, 255 - v.

    On an image this is bit-flip mutation (Holland 1975) of all bits of a gene at once.
    """
    flat = images.reshape(-1)
    places = hit(flat.size, rate, rng)
    flat[places] = 255 - flat[places]
    return images
