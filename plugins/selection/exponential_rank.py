"""Exponential ranking selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Lt, Rng, selection

from ._wheel import rank_shares, spin


@selection("exponential_rank")
def exponential_rank(fitness: Array, count: int, rng: Rng, *, base: Annotated[float, Gt(0), Lt(1)] = 0.95) -> Array:
    """Draw with probabilities that decrease exponentially from the best to the worst rank.

    The probability of each rank is ``base`` times that of the next better rank. Individuals with equal fitness have
    equal probabilities. Source: Blickle and Thiele 1995.
    """
    return spin(rank_shares(fitness, base ** np.arange(len(fitness) - 1.0, -1, -1)), count, rng)
