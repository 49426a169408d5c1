"""Two-point crossover."""

import numpy as np

from fooldeap.plugin import Array, Rng, crossover

from ._swap import swapped


@crossover("two_point")
def two_point(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap a random stretch of genes; an image is read row by row (De Jong 1975).

    The two cuts are drawn uniformly from all pairs of different places between genes, before the first and behind the
    last included.
    """
    genes = first[:1].size
    one = rng.integers(0, genes + 1, (len(first), 1))
    other = rng.integers(0, max(genes, 1), (len(first), 1))
    other += other >= one  # any place but the first cut's
    start, end = np.minimum(one, other), np.maximum(one, other)
    order = np.arange(genes)
    return swapped(first, second, ((order >= start) & (order < end)).reshape(first.shape))
