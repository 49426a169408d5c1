"""Boltzmann selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Rng, selection

from ._wheel import spin


@selection("boltzmann")
def boltzmann(fitness: Array, count: int, rng: Rng, *, temperature: Annotated[float, Gt(0)] = 1.0) -> Array:
    """Draw with a probability in proportion to exp(fitness / ``temperature``).

    Low temperatures prefer the best, high ones nobody; ``temperature`` is in units of the fitness (de la Maza and Tidor
    1993).
    """
    with np.errstate(over="ignore"):  # a distance that overflows has no share either way
        distances = (fitness - fitness.max()) / temperature
    return spin(np.exp(distances), count, rng)
