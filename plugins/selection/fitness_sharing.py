"""Fitness sharing in genome space."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Rng, selection

from ._wheel import proportional_shares, spin_once


@selection("fitness_sharing", genome=None)
def fitness_sharing(
    fitness: Array,
    count: int,
    rng: Rng,
    genomes: Array,
    *,
    radius: Annotated[float, Gt(0)] = 50.0,
    exponent: Annotated[float, Gt(0)] = 1.0,
) -> Array:
    """Select in proportion to a fitness that similar individuals share, so that several niches survive.

    The fitness of an individual is divided by its niche count: the sum of 1 - (d / ``radius``) ** ``exponent`` over all
    individuals at a distance d of less than ``radius``, including itself. The distance of two genomes is the root of
    their mean squared difference per gene. For grey values of uniform noise, it is about 104. If a fitness is negative,
    the distance to the worst fitness takes its place. Individuals are drawn as in ``stochastic_universal``. Source:
    Goldberg and Richardson 1987.
    """
    shares = proportional_shares(fitness) / niche_counts(genomes, radius, exponent)
    order = rng.permutation(len(fitness))  # otherwise members of a niche at equal intervals could all be left out
    chosen: Array = order[spin_once(shares[order], count, rng)]
    return chosen


def niche_counts(genomes: Array, radius: float, exponent: float) -> Array:
    """Return the niche count of each genome, at least 1."""
    counts: Array = (1 - np.minimum(distances(genomes) / radius, 1) ** exponent).sum(axis=1)
    return counts


def distances(genomes: Array) -> Array:
    """Return the root of the mean squared difference per gene of each pair of genomes, float64 (n, n)."""
    from scipy.spatial.distance import cdist

    rows = genomes.reshape(len(genomes), -1).astype(np.float64)
    if genomes.dtype.kind == "f":
        squares = cdist(rows, rows, "sqeuclidean")
    else:
        # Sums of integers are exact, so the result does not depend on the number of threads.
        products = rows @ rows.T
        lengths = np.diag(products)
        squares = lengths[:, None] + lengths - 2 * products
    found: Array = np.sqrt(squares / max(1, rows.shape[1]))
    return found
