"""Erasing."""

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from ._places import hit


@mutation("erase", genome=("pixels", "blocks"))
def erase(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.01,
    paper: Annotated[int, Ge(0), Le(255)] = 0,
) -> Images:
    """Give each pixel, with all its channels, the grey value ``paper`` with probability ``rate``.

    For images that shall have as little on them as possible, see ``confidence_and_ink``.
    """
    pixels = images.reshape(-1, images.shape[-1])
    pixels[hit(len(pixels), rate, rng)] = paper
    return images
