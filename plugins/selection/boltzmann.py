"""Boltzmann selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Rng, selection

from ._wheel import spin


@selection("boltzmann")
def boltzmann(fitness: Array, count: int, rng: Rng, *, temperature: Annotated[float, Gt(0)] = 1.0) -> Array:
    """Draw with probabilities proportional to exp(fitness / ``temperature``).

    ``temperature`` is in units of the fitness. At a low temperature, the best individuals are drawn nearly always. At a
    high temperature, all individuals are nearly equally likely. Source: de la Maza and Tidor 1993.
    """
    with np.errstate(over="ignore"):  # exp(-inf) is 0, so an overflow has no effect
        distances = (fitness - fitness.max()) / temperature
    return spin(np.exp(distances), count, rng)
