"""Random selection, the control."""

from fooldeap.plugin import Array, Rng, selection


@selection("random")
def random(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw uniformly, whatever the fitness: no selection pressure at all, the control of every comparison."""
    return rng.integers(0, len(fitness), count)
