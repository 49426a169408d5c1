"""Row-and-column mutation."""

import numpy as np

from fooldeap.plugin import Array, Rng, mutation

from .._grey import IMAGES, draw_noise


@mutation("row_and_column", genome=IMAGES)
def row_and_column(images: Array, rng: Rng) -> Array:
    """Fill a random row or a random column of each image with uniform noise.

    Rows and columns are equally likely. This is a macromutation (Jones 1995).
    """
    count, height, width, channels = images.shape
    is_row = rng.random(count) < 0.5
    rows, columns = np.flatnonzero(is_row), np.flatnonzero(~is_row)
    images[rows, rng.integers(0, height, len(rows))] = draw_noise((len(rows), width, channels), images.dtype, rng)
    noise = draw_noise((len(columns), height, channels), images.dtype, rng)
    images[columns, :, rng.integers(0, width, len(columns))] = noise
    return images
