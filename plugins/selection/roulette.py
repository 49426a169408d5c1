"""Roulette-wheel selection."""

from fooldeap.plugin import Array, Rng, selection

from ._wheel import proportional_shares, spin


@selection("roulette")
def roulette(fitness: Array, count: int, rng: Rng) -> Array:
    """Draw with probabilities proportional to the fitness (Holland 1975; Goldberg 1989, section 1).

    If a fitness is negative, the distance to the worst fitness is used instead ("windowing"). If all fitness values are
    equal, all individuals are equally likely.
    """
    return spin(proportional_shares(fitness), count, rng)
