"""Exponential ranking selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Lt, Rng, selection

from ._wheel import by_rank, spin


@selection("exponential_rank")
def exponential_rank(fitness: Array, count: int, rng: Rng, *, base: Annotated[float, Gt(0), Lt(1)] = 0.95) -> Array:
    """Draw with a probability that falls by the factor ``base`` from each rank to the next worse one.

    Equals share their ranks (Blickle and Thiele 1995).
    """
    return spin(by_rank(fitness, base ** np.arange(len(fitness) - 1.0, -1, -1)), count, rng)
