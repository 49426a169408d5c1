"""Polynomial mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, mutation

from .._grey import as_genes
from ._places import draw_positions


@mutation("polynomial", genome=("uint8", "float64"))
def polynomial(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.1,
    eta: Annotated[float, Ge(0)] = 15.0,
    largest: Annotated[float, Gt(0)] = 255.0,
) -> Array:
    """Add a step, mostly a small one, to each gene with probability ``rate`` (polynomial mutation).

    A step is at most ``largest`` grey levels in each direction. ``eta`` is the distribution index: the larger it is,
    the smaller the steps are. Grey values are rounded and stay within 0 ... 255; near a bound, the form of Deb's
    NSGA-II code is used. Real numbers have no bounds. The defaults are the initial settings of the direct encoding of
    Nguyen, Yosinski and Clune (2015). Source: Deb and Agrawal 1999.
    """
    flat = genomes.reshape(-1)
    positions = draw_positions(flat.size, rate, rng)
    x = flat[positions] / largest
    u = rng.random(len(positions))
    # The share of the largest step that does not fit below and above the value.
    low, high = (np.maximum(1 - x, 0), np.maximum(x + (1 - 255 / largest), 0)) if flat.dtype == np.uint8 else (0.0, 0.0)
    power = eta + 1
    down = (2 * u + (1 - 2 * u) * low**power) ** (1 / power) - 1
    up = 1 - (2 * (1 - u) + (2 * u - 1) * high**power) ** (1 / power)
    flat[positions] = as_genes(largest * (x + np.where(u < 0.5, down, up)), flat.dtype)
    return genomes
