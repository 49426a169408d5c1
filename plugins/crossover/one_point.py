"""One-point crossover."""

import numpy as np

from fooldeap.plugin import Array, Rng, crossover

from ._swap import swapped


@crossover("one_point")
def one_point(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap all genes behind a random cut between two genes; an image is read row by row (Holland 1975)."""
    genes = first[:1].size
    cuts = rng.integers(1, max(genes, 2), (len(first), 1))
    return swapped(first, second, (np.arange(genes) >= cuts).reshape(first.shape))
