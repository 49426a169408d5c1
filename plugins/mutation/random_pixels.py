"""Random-pixel mutation."""

import math

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import DISCRETE, draw_noise


@mutation("random_pixels", genome=DISCRETE)
def random_pixels(images: Array, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Array:
    """Replace each gene with probability ``rate`` by a uniform random value from 0 to 255.

    Each channel value of each pixel is one gene. On black and white, the new values are black or white. This is the
    mutation of the student project; the literature calls it uniform resetting. Its time grows with the number of
    replaced genes, not with the size of the images.
    """
    flat = images.reshape(-1)
    if rate == 1:
        flat[:] = draw_noise(flat.size, flat.dtype, rng)
        return images
    # A Poisson number of hits, distributed with replacement, gives each gene an independent Poisson number of hits.
    # That number is 0 with probability 1 - rate, so each gene changes with probability rate, independently.
    hits = rng.poisson(-math.log1p(-rate) * flat.size)
    flat[rng.integers(0, flat.size, hits)] = draw_noise(hits, flat.dtype, rng)
    return images
