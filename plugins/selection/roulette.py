"""Roulette-wheel selection."""

from fooldeap.plugin import Array, Rng, selection

from ._wheel import spin, windowed


@selection("roulette")
def roulette(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw with a probability in proportion to fitness (Holland 1975; Goldberg 1989, section 1).

    Where a fitness is negative, the wheel is turned on the distance to the worst instead ("windowing"); where all are
    equal, on equal shares.
    """
    return spin(windowed(fitness), count, rng)
