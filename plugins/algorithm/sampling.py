"""Sampling for all targets at once."""

from fooldeap.plugin import Annotated, Evolution, Ge, Rng, Toolbox, algorithm


@algorithm("sampling", targets="all", uses=())
def sampling(toolbox: Toolbox, rng: Rng, *, population: Annotated[int, Ge(1)] = 100) -> Evolution:
    """Sample new genomes for ever, ``population`` at a time, and show each for all targets.

    To one target it is what ``random_search`` is; to several, one run does for all of them.
    """
    while True:
        yield toolbox.sample(population)
