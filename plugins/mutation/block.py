"""Block mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation


@mutation("block", genome="pixels")
def block(images: Images, rng: Rng, *, size: Annotated[float, Gt(0), Le(1)] = 0.25) -> Images:
    """Fill a random rectangle of each image with uniform noise.

    Its height and width are drawn uniformly up to the share ``size`` of the image's, then its place among those where
    it fits. (Macro-mutation of a contiguous region: Jones 1995.)
    """
    count, height, width, channels = images.shape
    tall = rng.integers(1, max(1, round(size * height)), count, endpoint=True)
    wide = rng.integers(1, max(1, round(size * width)), count, endpoint=True)
    top = rng.integers(0, height - tall, endpoint=True)
    left = rng.integers(0, width - wide, endpoint=True)
    for image, y, x, rows, columns in zip(images, top, left, tall, wide, strict=True):
        image[y : y + rows, x : x + columns] = rng.integers(0, 256, (rows, columns, channels), dtype=np.uint8)
    return images
