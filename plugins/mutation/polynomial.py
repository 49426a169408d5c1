"""Polynomial mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, mutation

from .._grey import as_genes
from ._places import hit


@mutation("polynomial", genome=("uint8", "float64"))
def polynomial(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.1,
    eta: Annotated[float, Ge(0)] = 15.0,
    largest: Annotated[float, Gt(0)] = 255.0,
) -> Array:
    """Move each value with probability ``rate`` by a polynomially distributed step.

    It is at most ``largest`` grey levels, and the larger ``eta``, the smaller. Grey values stay within 0 ... 255 and
    are rounded (Deb and Agrawal 1999; near a bound the form of Deb's NSGA-II code; with the defaults, the direct
    encoding of Nguyen, Yosinski and Clune 2015 at its start). Real numbers have no bounds.
    """
    flat = genomes.reshape(-1)
    places = hit(flat.size, rate, rng)
    x = flat[places] / largest
    u = rng.random(len(places))
    # By how much the room below and above falls short of the largest step, as a share of it.
    low, high = (np.maximum(1 - x, 0), np.maximum(x + (1 - 255 / largest), 0)) if flat.dtype == np.uint8 else (0.0, 0.0)
    power = eta + 1
    down = (2 * u + (1 - 2 * u) * low**power) ** (1 / power) - 1
    up = 1 - (2 * (1 - u) + (2 * u - 1) * high**power) ** (1 / power)
    flat[places] = as_genes(largest * (x + np.where(u < 0.5, down, up)), flat.dtype)
    return genomes
