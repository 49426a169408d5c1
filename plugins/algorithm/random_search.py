"""Random search: a control for comparisons."""

from fooldeap.plugin import Annotated, Evolution, Ge, Rng, Toolbox, algorithm


@algorithm("random_search", uses=(), objectives="any")
def random_search(toolbox: Toolbox, rng: Rng, *, population: Annotated[int, Ge(1)] = 100) -> Evolution:
    """Sample new genomes in every generation, without evolution: a control for comparisons.

    Each generation has ``population`` genomes.
    """
    while True:
        yield toolbox.sample(population)
