"""Stochastic universal sampling."""

from fooldeap.plugin import Array, Rng, selection

from ._wheel import proportional_shares, spin_once


@selection("stochastic_universal")
def stochastic_universal(fitness: Array, count: int, rng: Rng) -> Array:
    """Select each individual in proportion to its fitness; the number of its copies is rounded up or down.

    Each individual is drawn as often as its share demands, rounded up or down. Negative and equal fitness values are
    treated as in ``roulette``. Source: Baker 1987.
    """
    return spin_once(proportional_shares(fitness), count, rng)
