"""Roulette-wheel selection."""

import numpy as np

from fooldeap.plugin import Array, Rng, selection


@selection("roulette")
def roulette(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw with a probability in proportion to fitness (Holland 1975; Goldberg 1989, section 1).

    Where a fitness is negative, the wheel is turned on the distance to the worst instead ("windowing"); where all are
    equal, on equal shares.
    """
    shares = fitness - min(fitness.min(), 0.0)
    largest = shares.max()
    if largest == 0:
        return rng.integers(0, len(fitness), count)
    # Divided by the largest first, so that huge values do not overflow in the sum.
    wheel = np.cumsum(shares / largest)
    places: Array = np.searchsorted(wheel, rng.random(count) * wheel[-1], side="right").clip(max=len(fitness) - 1)
    return places
