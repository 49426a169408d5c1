"""Linear ranking selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, Rng, selection

from ._wheel import rank_shares, spin


@selection("linear_rank")
def linear_rank(fitness: Array, count: int, rng: Rng, *, pressure: Annotated[float, Ge(1), Le(2)] = 1.8) -> Array:
    """Draw with probabilities that decrease linearly from the best to the worst rank.

    If as many individuals are drawn as the population has, the expected number is ``pressure`` for the best, 1 for the
    median, and 2 - ``pressure`` for the worst. Individuals with equal fitness have equal probabilities. Source: Baker
    1985.
    """
    rank = np.linspace(0, 1, len(fitness)) if len(fitness) > 1 else np.full(1, 0.5)
    return spin(rank_shares(fitness, 2 - pressure + 2 * (pressure - 1) * rank), count, rng)
