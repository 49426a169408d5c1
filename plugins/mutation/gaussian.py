"""Gaussian mutation."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from .._grey import as_genes
from ._places import hit


@mutation("gaussian", genome=("uint8", "float64"))
def gaussian(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 40.0,
) -> Array:
    """Add normal noise to each value with probability ``rate``.

    Its standard deviation is ``sigma`` grey levels; grey values are rounded and clipped to 0 ... 255 (Bäck and Schwefel
    1993, without self-adaptation, for which see ``self_adaptive``).
    """
    flat = genomes.reshape(-1)
    places = hit(flat.size, rate, rng)
    flat[places] = as_genes(flat[places] + rng.normal(0, sigma, len(places)), flat.dtype)
    return genomes
