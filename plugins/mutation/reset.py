"""Resetting of real numbers."""

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, mutation

from ._places import hit


@mutation("reset", genome="float64")
def reset(
    genomes: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 350.0,
) -> Array:
    """Replace each value with probability ``rate`` by a normal one of mean 0.

    Its standard deviation is ``sigma``. To real numbers this is what ``random_pixels`` is to grey values; with the
    ``sigma`` of the genome ``dct`` a value begins anew (random resetting, Eiben and Smith 2015).
    """
    flat = genomes.reshape(-1)
    places = hit(flat.size, rate, rng)
    flat[places] = rng.normal(0, sigma, len(places))
    return genomes
