"""The student project's selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, selection


@selection("retain")
def retain(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    best: Annotated[float, Gt(0), Le(1)] = 0.1,
    others: Annotated[float, Ge(0), Le(1)] = 0.1,
) -> Array:
    """Draw uniformly from the fittest share ``best`` and a random share ``others`` of the rest.

    At least one individual is kept; each of the rest stays with probability ``others`` (the student project's
    selection, truncation softened for diversity's sake).
    """
    order = np.argsort(-fitness, kind="stable")
    kept = max(1, round(best * len(fitness)))
    lucky = order[kept:][rng.random(len(fitness) - kept) < others]
    pool = np.concatenate([order[:kept], lucky])
    chosen: Array = pool[rng.integers(0, len(pool), count)]
    return chosen
