"""Self-adaptive mutation."""

import math

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Rng, mutation

LEAST, MOST = math.log(1e-6), math.log(1e6)  # logarithms of step sizes, so that none is lost, and none overflows


@mutation("self_adaptive", genome="dct_with_steps")
def self_adaptive(genomes: Array, rng: Rng, *, pace: Annotated[float, Gt(0)] = 1.0, own_steps: bool = True) -> Array:
    """Add normal noise to every value, with step sizes that are inherited and mutated themselves.

    A step size is multiplied by exp(t N + u M) before it is used, N a normal number for the individual, and M one for
    each of its n values: t = ``pace`` / sqrt(2 n), u = ``pace`` / sqrt(2 sqrt(n)). Without ``own_steps`` all those of
    an individual rise and fall together, t = ``pace`` / sqrt(n) and u = 0 (Schwefel 1977; Bäck and Schwefel 1993).
    Steps of the right size survive with what they led to; that takes more children than parents, as in
    ``mu_comma_lambda``.
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
