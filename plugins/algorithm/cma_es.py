"""CMA-ES, from the package pycma."""

import math
from typing import Any

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, InputError, Le, Rng, Toolbox, algorithm

from .._blas import libraries, single_thread
from ._vectors import Space

FULL_BY_DEFAULT = 500  # largest number of genes with a full covariance matrix by default
FULL_AT_MOST = 5000  # largest number of genes with a full covariance matrix: 200 MB, and pycma keeps several
MAX_POPULATION = 10_000  # after restarts


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
    """Draw genomes from a normal distribution, and adapt the distribution to the best genomes (CMA-ES).

    This is the covariance matrix adaptation evolution strategy (Hansen and Ostermeier 2001), as implemented by the
    package ``cma``. It starts at the mean of sampled genomes, with ``sigma`` times their standard deviations. The
    default of ``population`` is 4 + 3 ln(d) for d genes. With ``diagonal: true`` it adapts variances but no covariances
    (Ros and Hansen 2008), which takes time proportional to d instead of its square or cube. This is the default for
    more than 500 genes. When the search converges, it restarts with ``growth`` times the population (Auger and Hansen
    2005). Genes are clipped to their bounds, and grey values are rounded, before they are evaluated.
    """
    space = Space(toolbox, "cma_es")
    dimensions = len(space.mean)
    if diagonal is None:
        diagonal = dimensions > FULL_BY_DEFAULT
    if not diagonal and dimensions > FULL_AT_MOST:
        raise InputError(
            f"cma_es: got {dimensions} genes, expected at most {FULL_AT_MOST} with a full covariance matrix; "
            "set diagonal: true"
        )
    blas = libraries()
    size = float(population or 4 + int(3 * math.log(dimensions)))
    while True:
        strategy = _create_strategy(space, int(size), sigma, diagonal, rng)
        while not strategy.stop():
            with single_thread(blas):
                points = np.array(strategy.ask())
            fitness = space.fitness((yield space.genomes(points)))
            with single_thread(blas):
                strategy.tell(list(points), (-fitness).tolist())
        size = max(size, min(size * growth, MAX_POPULATION))


def _create_strategy(space: Space, population: int, sigma: float, diagonal: bool, rng: Rng) -> Any:
    from cma import CMAEvolutionStrategy

    options = {
        "popsize": population,
        "CMA_stds": space.spread,
        "CMA_diagonal": diagonal,
        # Without a seed, pycma does not seed numpy's global generator; randn replaces the draws from it.
        "seed": math.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
        "verbose": -10,  # no output, and no options from a file cma_signals.in in the current folder
        "verb_log": 0,
        "maxiter": math.inf,  # the engine decides when a run ends
    }
    return CMAEvolutionStrategy(space.mean, sigma, options)
