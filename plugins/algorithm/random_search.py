"""Random search, the control."""

from fooldeap.plugin import Annotated, Evolution, Ge, Rng, Toolbox, algorithm


@algorithm("random_search", uses=())
def random_search(toolbox: Toolbox, rng: Rng, *, population: Annotated[int, Ge(1)] = 100) -> Evolution:
    """Sample new genomes for ever, ``population`` at a time: what any algorithm has to beat."""
    while True:
        yield toolbox.sample(population)
