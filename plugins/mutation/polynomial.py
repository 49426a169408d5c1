"""Polynomial mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from .._grey import to_grey
from ._places import hit


@mutation("polynomial", genome="pixels")
def polynomial(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.1,
    eta: Annotated[float, Ge(0)] = 15.0,
) -> Images:
    """Move each value with probability ``rate`` by a polynomially distributed step.

    Values stay within 0 ... 255. The larger ``eta``, the smaller the steps. Results are rounded (Deb and Agrawal 1999,
    the bounded form of Deb's NSGA-II code; with the defaults, the direct encoding of Nguyen, Yosinski and Clune 2015 at
    its start).
    """
    flat = images.reshape(-1)
    places = hit(flat.size, rate, rng)
    x = flat[places] / 255
    u = rng.random(len(places))
    power = eta + 1
    down = (2 * u + (1 - 2 * u) * (1 - x) ** power) ** (1 / power) - 1
    up = 1 - (2 * (1 - u) + (2 * u - 1) * x**power) ** (1 / power)
    flat[places] = to_grey(255 * (x + np.where(u < 0.5, down, up)))
    return images
