"""One-point crossover."""

import numpy as np

from fooldeap.plugin import Array, Rng, crossover

from ._swap import swap_genes


@crossover("one_point")
def one_point(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap all genes after a random position (Holland 1975).

    The genes of an image are its values, row by row.
    """
    genes = first[:1].size
    cuts = rng.integers(1, max(genes, 2), (len(first), 1))
    return swap_genes(first, second, (np.arange(genes) >= cuts).reshape(first.shape))
