"""Linear ranking selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, Rng, selection

from ._wheel import by_rank, spin


@selection("linear_rank")
def linear_rank(fitness: Array, count: int, rng: Rng, *, pressure: Annotated[float, Ge(1), Le(2)] = 1.8) -> Array:
    """Draw with a probability that rises linearly with the rank.

    In a population's worth of draws the best is expected ``pressure`` times, the median once, the worst
    2 - ``pressure`` times; equals share their ranks (Baker 1985).
    """
    rank = np.linspace(0, 1, len(fitness)) if len(fitness) > 1 else np.full(1, 0.5)
    return spin(by_rank(fitness, 2 - pressure + 2 * (pressure - 1) * rank), count, rng)
