"""Two-dimensional crossover."""

from fooldeap.plugin import Array, Rng, crossover

from .._grey import IMAGES
from ._swap import draw_segments, swap_genes


@crossover("rectangle", genome=IMAGES)
def rectangle(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap a random rectangle of two images (Cohoon and Paris 1987).

    The rectangle lies between two different horizontal and two different vertical grid lines. All pairs of lines are
    equally likely.
    """
    count, height, width, _ = first.shape
    rows, columns = draw_segments(height, count, rng), draw_segments(width, count, rng)
    return swap_genes(first, second, rows[:, :, None, None] & columns[:, None, :, None])
