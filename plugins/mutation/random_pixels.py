"""Random-pixel mutation."""

import math

import numpy as np

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation


@mutation("random_pixels", genome="pixels")
def random_pixels(images: Images, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Images:
    """Replace a random subset of pixels with uniform random values from 0 to 255.

    Each channel value of each image is hit with probability ``rate``, independently (the student project's mutation;
    also uniform resetting in the literature). Cost grows with the values hit, not with the size of the images.
    """
    flat = images.reshape(-1)
    if rate == 1:
        flat[:] = rng.integers(0, 256, flat.size, dtype=np.uint8)
        return images
    # To the letter a coin for each value: of a Poisson number of hits, spread with repetition, every value gets a
    # Poisson number of its own, independent of the others', and is left alone with probability 1 - rate.
    hits = rng.poisson(-math.log1p(-rate) * flat.size)
    flat[rng.integers(0, flat.size, hits)] = rng.integers(0, 256, hits, dtype=np.uint8)
    return images
