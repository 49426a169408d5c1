"""Random search for all targets in one run."""

from fooldeap.plugin import Annotated, Evolution, Ge, Rng, Toolbox, algorithm


@algorithm("sampling", targets="all", uses=(), objectives="any")
def sampling(toolbox: Toolbox, rng: Rng, *, population: Annotated[int, Ge(1)] = 100) -> Evolution:
    """Sample new genomes in every generation: random search for all targets in one run.

    This is ``random_search`` for several targets in one run. Each generation has ``population`` genomes.
    """
    while True:
        yield toolbox.sample(population)
