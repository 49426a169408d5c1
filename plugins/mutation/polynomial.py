"""Polynomial mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, mutation

from .._grey import as_genes
from ._places import draw_positions

BLOCK = 1 << 14  # positions in a block, whose arrays fit into the processor's cache


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
    u = rng.random(len(positions))
    is_grey = flat.dtype == np.uint8
    levels = np.arange(256) / largest
    # The share of the largest step that does not fit below and above a grey value, to the power eta + 1.
    low = np.maximum(1 - levels, 0) ** (eta + 1)
    high = np.maximum(levels + (1 - 255 / largest), 0) ** (eta + 1)
    for start in range(0, len(positions), BLOCK):
        places, draws = positions[start : start + BLOCK], u[start : start + BLOCK]
        genes = flat[places]
        is_down = draws < 0.5
        share = np.where(is_down, draws, 1 - draws)
        bound = np.where(is_down, low[genes], high[genes]) if is_grey else 0.0
        step = (2 * share + (1 - 2 * share) * bound) ** (1 / (eta + 1)) - 1
        values = levels[genes] if is_grey else genes / largest
        flat[places] = as_genes(largest * (values + np.where(is_down, step, -step)), flat.dtype)
    return genomes
