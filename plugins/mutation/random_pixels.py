"""Random-pixel mutation."""

import math

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import DISCRETE, noise


@mutation("random_pixels", genome=DISCRETE)
def random_pixels(images: Array, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Array:
    """Replace a random subset of pixels with uniform random values from 0 to 255.

    Each channel value of each image is hit with probability ``rate``, independently (the student project's mutation;
    also uniform resetting in the literature). Where pixels are black or white, the new ones are. Cost grows with the
    values hit, not with the size of the images.
    """
    flat = images.reshape(-1)
    if rate == 1:
        flat[:] = noise(flat.size, flat.dtype, rng)
        return images
    # To the letter a coin for each value: of a Poisson number of hits, spread with repetition, every value gets a
    # Poisson number of its own, independent of the others', and is left alone with probability 1 - rate.
    hits = rng.poisson(-math.log1p(-rate) * flat.size)
    flat[rng.integers(0, flat.size, hits)] = noise(hits, flat.dtype, rng)
    return images
