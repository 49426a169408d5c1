"""Crossover of image halves."""

from fooldeap.plugin import Array, Rng, crossover

from .._grey import IMAGES


@crossover("halves", genome=IMAGES)
def halves(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Join the top half of one parent and the bottom half of the other, and the other way round.

    The student project's crossover: one-point crossover of the rows, at the middle.
    """
    middle = first.shape[1] // 2
    one, other = first.copy(), second.copy()
    one[:, middle:], other[:, middle:] = second[:, middle:], first[:, middle:]
    return one, other
