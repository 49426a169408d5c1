"""Crossover of the upper and lower halves of images."""

from fooldeap.plugin import Array, Rng, crossover

from .._grey import IMAGES


@crossover("halves", genome=IMAGES)
def halves(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap the lower halves of two images.

    This is one-point crossover of the rows, with the cut in the middle. It is the crossover of the student project.
    """
    middle = first.shape[1] // 2
    one, other = first.copy(), second.copy()
    one[:, middle:], other[:, middle:] = second[:, middle:], first[:, middle:]
    return one, other
