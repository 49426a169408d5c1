"""Two-dimensional crossover."""

from fooldeap.plugin import Array, Rng, crossover

from .._grey import IMAGES
from ._swap import stretches, swapped


@crossover("rectangle", genome=IMAGES)
def rectangle(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap a random rectangle of the images (two-dimensional crossover, Cohoon and Paris 1987).

    Its sides lie between two different lines of the grid, drawn uniformly, across and down.
    """
    count, height, width, _ = first.shape
    rows, columns = stretches(height, count, rng), stretches(width, count, rng)
    return swapped(first, second, rows[:, :, None, None] & columns[:, None, :, None])
