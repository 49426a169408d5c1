"""Resetting of real numbers."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from ._places import draw_positions


@mutation("reset", genome="float64")
def reset(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 350.0,
) -> Array:
    """Replace each gene with probability ``rate`` by a normally distributed number with mean 0.

    ``sigma`` is its standard deviation. With the ``sigma`` of the genome ``dct``, the gene is drawn as in the first
    population. This is for real numbers what ``random_pixels`` is for grey values (random resetting, Eiben and Smith
    2015).
    """
    flat = genomes.reshape(-1)
    positions = draw_positions(flat.size, rate, rng)
    flat[positions] = rng.normal(0, sigma, len(positions))
    return genomes
