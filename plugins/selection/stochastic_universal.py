"""Stochastic universal sampling."""

from fooldeap.plugin import Array, Rng, selection

from ._wheel import spin_once, windowed


@selection("stochastic_universal")
def stochastic_universal(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw in proportion to fitness, with one turn of the wheel for all.

    How often somebody is drawn differs from the fair share by less than 1. Negative and equal values as in ``roulette``
    (Baker 1987).
    """
    return spin_once(windowed(fitness), count, rng)
