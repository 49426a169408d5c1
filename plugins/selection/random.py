"""Random selection: a control for comparisons."""

from fooldeap.plugin import Array, Rng, selection


@selection("random", objectives="any")
def random(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw uniformly, without regard to the fitness.

    Use it as the control in comparisons of selections.
    """
    return rng.integers(0, len(fitness), count)
