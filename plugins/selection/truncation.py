"""Truncation selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, selection


@selection("truncation")
def truncation(fitness: Array, count: int, rng: Rng, *, share: Annotated[float, Gt(0), Le(1)] = 0.5) -> Array:
    """Draw uniformly from the fittest ``share`` of the population.

    At least one individual is kept. If the border lies between equals, the earlier ones are kept. Source: Mühlenbein
    and Schlierkamp-Voosen 1993.
    """
    kept = max(1, round(share * len(fitness)))
    fittest = np.argsort(-fitness, kind="stable")[:kept]
    return fittest[rng.integers(0, kept, count)]
