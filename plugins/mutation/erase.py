"""Mutation that erases pixels."""

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from ._places import draw_positions


@mutation("erase", genome=("pixels", "blocks"))
def erase(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.01,
    paper: Annotated[int, Ge(0), Le(255)] = 0,
) -> Images:
    """Set each pixel, with all its channels, to the grey value ``paper`` with probability ``rate``.

    Use it with the fitness ``confidence_and_ink``, which rewards images with little ink.
    """
    pixels = images.reshape(-1, images.shape[-1])
    pixels[draw_positions(len(pixels), rate, rng)] = paper
    return images
