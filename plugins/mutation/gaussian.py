"""Gaussian mutation."""

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation

from .._grey import to_grey
from ._places import hit


@mutation("gaussian", genome="pixels")
def gaussian(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 40.0,
) -> Images:
    """Add normal noise to each value with probability ``rate``.

    Its standard deviation is ``sigma`` grey levels; results are rounded and clipped to 0 ... 255 (Bäck and Schwefel
    1993, without self-adaptation).
    """
    flat = images.reshape(-1)
    places = hit(flat.size, rate, rng)
    flat[places] = to_grey(flat[places] + rng.normal(0, sigma, len(places)))
    return images
