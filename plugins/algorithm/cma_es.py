"""CMA-ES, by pycma."""

import math
from typing import Any

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, Rng, Toolbox, algorithm

from ._vectors import Space


@algorithm("cma_es", uses=())
def cma_es(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] | None = None,
    sigma: Annotated[float, Gt(0)] = 1.0,
    diagonal: bool = False,
    growth: Annotated[float, Ge(1)] = 2.0,
) -> Evolution:
    """Learn which directions lead upwards: the covariance matrix adaptation evolution strategy.

    CMA-ES (Hansen and Ostermeier 2001), as the package ``cma`` has it. It begins at the mean of genomes as they are
    sampled, with ``sigma`` times their standard deviations. ``population`` is 4 + 3 ln(d) for genomes of d numbers
    where none is given. ``diagonal`` keeps to variances (Ros and Hansen 2008), for genomes of thousands of numbers.
    Where it converges, it begins again with ``growth`` times the population (Auger and Hansen 2005). Genes are rounded
    and clipped where they are grey values.
    """
    space = Space(toolbox, "cma_es")
    size = float(population or 4 + int(3 * math.log(len(space.mean))))
    while True:
        strategy = _strategy(space, int(size), sigma, diagonal, rng)
        while not strategy.stop():
            points = np.array(strategy.ask())
            fitness = space.fitness((yield space.genomes(points)))
            strategy.tell(list(points), (-fitness).tolist())
        size *= growth


def _strategy(space: Space, population: int, sigma: float, diagonal: bool, rng: Rng) -> Any:
    from cma import CMAEvolutionStrategy

    options = {
        "popsize": population,
        "CMA_stds": space.spread,
        "CMA_diagonal": diagonal,
        # Neither seeded by pycma, which would seed numpy's global generator, nor drawn from it.
        "seed": math.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
        "verbose": -9,
        "verb_log": 0,
        "maxiter": math.inf,  # when a run ends is for the engine to say
    }
    return CMAEvolutionStrategy(space.mean, sigma, options)
