"""Tournament selection."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, Rng, selection


@selection("tournament")
def tournament(fitness: Array, count: int, rng: Rng, *, size: Annotated[int, Ge(1), Le(10_000)] = 5) -> Array:
    """Take the fittest of ``size`` individuals drawn with replacement, for each selected individual.

    Among equals, the one drawn first is taken. Source: Goldberg and Deb 1991.
    """
    drawn = rng.integers(0, len(fitness), (count, size))
    winners = fitness.take(drawn).argmax(axis=1)
    chosen: Array = drawn.ravel().take(winners + np.arange(0, count * size, size))
    return chosen
