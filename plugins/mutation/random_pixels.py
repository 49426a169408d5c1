"""Random-pixel mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation


@mutation("random_pixels", genome="pixels")
def random_pixels(images: Images, rng: Rng, *, rate: Annotated[float, Gt(0), Le(1)] = 0.01) -> Images:
    """Replace a random subset of pixels with uniform random values from 0 to 255.

    Each channel value of each image is hit with probability ``rate``, independently (the student project's mutation;
    also uniform resetting in the literature). Cost grows with the values hit, not with the size of the images.
    """
    flat = images.reshape(-1)
    # Equal in distribution to a coin for each value: first how many are hit, then which, without repetition.
    hits = rng.binomial(flat.size, rate)
    places = rng.choice(flat.size, hits, replace=False, shuffle=False)
    flat[places] = rng.integers(0, 256, hits, dtype=np.uint8)
    return images
