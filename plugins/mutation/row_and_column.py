"""Row-and-column mutation."""

import numpy as np

from fooldeap.plugin import Images, Rng, mutation


@mutation("row_and_column", genome="pixels")
def row_and_column(images: Images, rng: Rng) -> Images:
    """Fill one random row or, equally likely, one random column of each image with uniform noise.

    A macro-mutation (Jones 1995) along the lines that convolutions see.
    """
    count, height, width, channels = images.shape
    lines = rng.random(count) < 0.5
    rows, columns = np.flatnonzero(lines), np.flatnonzero(~lines)
    images[rows, rng.integers(0, height, len(rows))] = rng.integers(0, 256, (len(rows), width, channels), np.uint8)
    filling = rng.integers(0, 256, (len(columns), height, channels), np.uint8)
    images[columns, :, rng.integers(0, width, len(columns))] = filling
    return images
