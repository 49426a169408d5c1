"""Pixel-swap mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, Rng, mutation

from .._grey import IMAGES


@mutation("pixel_swap", genome=IMAGES)
def pixel_swap(images: Array, rng: Rng, *, pairs: Annotated[int, Ge(1), Le(100_000)] = 4) -> Array:
    """Swap two random pixels of each image, with all their channels, ``pairs`` times.

    The histogram of the image does not change. This is swap mutation (Banzhaf 1990).
    """
    count, height, width, channels = images.shape
    pixels = images.reshape(count, height * width, channels)
    rows = np.arange(count)
    for one, other in rng.integers(0, height * width, (pairs, 2, count)):
        saved = pixels[rows, one]
        pixels[rows, one] = pixels[rows, other]
        pixels[rows, other] = saved
    return images
