"""Self-adaptive mutation."""

import math

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Rng, mutation

LEAST, MOST = math.log(1e-6), math.log(1e6)  # bounds of the logarithms of step sizes


@mutation("self_adaptive", genome="dct_self_adaptive")
def self_adaptive(genomes: Array, rng: Rng, *, pace: Annotated[float, Gt(0)] = 1.0, own_steps: bool = True) -> Array:
    """Mutate the step sizes that each individual inherits, then add normal noise with these step sizes.

    Each step size is multiplied by exp(t N + u M). N is a standard normal number per individual, and M is one per gene.
    With n genes, t = ``pace`` / sqrt(2 n) and u = ``pace`` / sqrt(2 sqrt(n)). With ``own_steps: false``, all step sizes
    of an individual get the same factor: t = ``pace`` / sqrt(n) and u = 0. Good step sizes survive together with the
    individuals that they produced. This needs an algorithm with more children than parents, such as
    ``mu_comma_lambda``. Sources: Schwefel 1977; Bäck and Schwefel 1993.
    """
    values, logarithms = genomes[:, 0], genomes[:, 1]
    size = values[:1].size or 1
    individual = (len(genomes), *[1] * (values.ndim - 1))
    if own_steps:
        logarithms += pace / math.sqrt(2 * size) * rng.standard_normal(individual)
        logarithms += pace / math.sqrt(2 * math.sqrt(size)) * rng.standard_normal(values.shape)
    else:
        logarithms += pace / math.sqrt(size) * rng.standard_normal(individual)
    np.clip(logarithms, LEAST, MOST, out=logarithms)
    values += np.exp(logarithms) * rng.standard_normal(values.shape)
    return genomes
