"""Two-dimensional crossover."""

import numpy as np

from fooldeap.plugin import Array, Images, Rng, crossover

from ._swap import swapped


@crossover("rectangle", genome="pixels")
def rectangle(first: Images, second: Images, rng: Rng) -> tuple[Images, Images]:
    """Swap a random rectangle of the images (two-dimensional crossover, Cohoon and Paris 1987).

    Its sides lie between two different lines of the grid, drawn uniformly, across and down.
    """
    count, height, width, _ = first.shape
    rows, columns = _between(height, count, rng), _between(width, count, rng)
    return swapped(first, second, rows[:, :, None, None] & columns[:, None, :, None])


def _between(length: int, count: int, rng: Rng) -> Array:
    """Return masks (count, length) of random stretches."""
    one, other = rng.integers(0, length + 1, (count, 1)), rng.integers(0, length, (count, 1))
    other += other >= one
    order = np.arange(length)
    mask: Array = (order >= np.minimum(one, other)) & (order < np.maximum(one, other))
    return mask
