"""Two-point crossover."""

from fooldeap.plugin import Array, Rng, crossover

from ._swap import stretches, swapped


@crossover("two_point")
def two_point(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap a random stretch of genes; an image is read row by row (De Jong 1975).

    The two cuts are drawn uniformly from all pairs of different places between genes, before the first and behind the
    last included.
    """
    return swapped(first, second, stretches(first[:1].size, len(first), rng).reshape(first.shape))
