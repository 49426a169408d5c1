"""Row-and-column mutation."""

import numpy as np

from fooldeap.plugin import Array, Rng, mutation

from .._grey import IMAGES, noise


@mutation("row_and_column", genome=IMAGES)
def row_and_column(images: Array, rng: Rng) -> Array:
    """Fill one random row or, equally likely, one random column of each image with uniform noise.

    A macro-mutation (Jones 1995) along the lines that convolutions see.
    """
    count, height, width, channels = images.shape
    lines = rng.random(count) < 0.5
    rows, columns = np.flatnonzero(lines), np.flatnonzero(~lines)
    images[rows, rng.integers(0, height, len(rows))] = noise((len(rows), width, channels), images.dtype, rng)
    filling = noise((len(columns), height, channels), images.dtype, rng)
    images[columns, :, rng.integers(0, width, len(columns))] = filling
    return images
