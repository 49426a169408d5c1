"""Block mutation."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import IMAGES, draw_noise


@mutation("block", genome=IMAGES)
def block(images: Array, rng: Rng, *, size: Annotated[float, Gt(0), Le(1)] = 0.25) -> Array:
    """Fill a random rectangle of each image with uniform noise.

    Height and width are drawn uniformly, from 1 pixel to the share ``size`` of those of the image. Then the position is
    drawn uniformly from those where the rectangle fits. This is a macromutation of a contiguous region (Jones 1995).
    """
    count, height, width, channels = images.shape
    tall = rng.integers(1, max(1, round(size * height)), count, endpoint=True)
    wide = rng.integers(1, max(1, round(size * width)), count, endpoint=True)
    top = rng.integers(0, height - tall, endpoint=True)
    left = rng.integers(0, width - wide, endpoint=True)
    for image, y, x, rows, columns in zip(images, top, left, tall, wide, strict=True):
        image[y : y + rows, x : x + columns] = draw_noise((rows, columns, channels), images.dtype, rng)
    return images
