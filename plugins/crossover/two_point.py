"""Two-point crossover."""

from fooldeap.plugin import Array, Rng, crossover

from ._swap import draw_segments, swap_genes


@crossover("two_point")
def two_point(first: Array, second: Array, rng: Rng) -> tuple[Array, Array]:
    """Swap all genes between two random positions (De Jong 1975).

    The two positions differ; they may also be before the first or after the last gene. All pairs are equally likely.
    The genes of an image are its values, row by row.
    """
    return swap_genes(first, second, draw_segments(first[:1].size, len(first), rng).reshape(first.shape))
