"""CMA-ES, by pycma."""

import math
from typing import Any

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, InputError, Le, Rng, Toolbox, algorithm

from .._blas import libraries, single_thread
from ._vectors import Space

FEW = 500  # numbers in a genome, of which all covariances are learnt where nothing else is said
MANY = 5000  # of which they can be at all: 200 MB a table, and pycma keeps several
LARGEST = 10_000  # population that beginning again leads to


@algorithm("cma_es", uses=())
def cma_es(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2), Le(1_000_000)] | None = None,
    sigma: Annotated[float, Gt(0)] = 1.0,
    diagonal: bool | None = None,
    growth: Annotated[float, Ge(1)] = 2.0,
) -> Evolution:
    """Learn which directions lead upwards: the covariance matrix adaptation evolution strategy.

    CMA-ES (Hansen and Ostermeier 2001), as the package ``cma`` has it. It begins at the mean of genomes as they are
    sampled, with ``sigma`` times their standard deviations. Where it is not given, ``population`` is 4 + 3 ln(d) for
    genomes of d numbers. ``diagonal`` learns variances alone and no covariances (Ros and Hansen 2008), which takes
    time in proportion to d rather than to its square or cube; it is so for more than 500 numbers unless said
    otherwise. Where the search converges, it begins again with ``growth`` times the population (Auger and Hansen
    2005). Genes are shown within their bounds, and grey values rounded.
    """
    space = Space(toolbox, "cma_es")
    dimensions = len(space.mean)
    if diagonal is None:
        diagonal = dimensions > FEW
    if not diagonal and dimensions > MANY:
        raise InputError(f"cma_es learns covariances of at most {MANY} numbers, got {dimensions}; set diagonal: true")
    blas = libraries()
    size = float(population or 4 + int(3 * math.log(dimensions)))
    while True:
        strategy = _strategy(space, int(size), sigma, diagonal, rng)
        while not strategy.stop():
            with single_thread(blas):
                points = np.array(strategy.ask())
            fitness = space.fitness((yield space.genomes(points)))
            with single_thread(blas):
                strategy.tell(list(points), (-fitness).tolist())
        size = max(size, min(size * growth, LARGEST))


def _strategy(space: Space, population: int, sigma: float, diagonal: bool, rng: Rng) -> Any:
    from cma import CMAEvolutionStrategy

    options = {
        "popsize": population,
        "CMA_stds": space.spread,
        "CMA_diagonal": diagonal,
        # Neither seeded by pycma, which would seed numpy's global generator, nor drawn from it.
        "seed": math.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
        "verbose": -10,  # which says nothing, and reads no options from a file cma_signals.in in the current folder
        "verb_log": 0,
        "maxiter": math.inf,  # when a run ends is for the engine to say
    }
    return CMAEvolutionStrategy(space.mean, sigma, options)
