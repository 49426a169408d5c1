"""Gaussian mutation."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import as_genes
from ._places import draw_positions


@mutation("gaussian", genome=("uint8", "float64"))
def gaussian(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 40.0,
) -> Array:
    """Add normal noise to each gene with probability ``rate``.

    The noise has mean 0 and standard deviation ``sigma``. Grey values are rounded and clipped to 0 ... 255; real
    numbers have no bounds. Source: Bäck and Schwefel 1993. The step size does not adapt; for a step size that does, see
    ``self_adaptive``.
    """
    flat = genomes.reshape(-1)
    positions = draw_positions(flat.size, rate, rng)
    flat[positions] = as_genes(flat[positions] + rng.normal(0, sigma, len(positions)), flat.dtype)
    return genomes
