"""Separable natural evolution strategies."""

import math

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, Le, Rng, Toolbox, algorithm

from ._vectors import Space


@algorithm("snes", uses=())
def snes(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2), Le(1_000_000)] | None = None,
    sigma: Annotated[float, Gt(0)] = 1.0,
    mean_rate: Annotated[float, Gt(0)] = 1.0,
    sigma_rate: Annotated[float, Gt(0)] | None = None,
) -> Evolution:
    """Draw each gene from its own normal distribution, and adapt these to the best genomes (SNES).

    The weights of the individuals depend on their ranks, as in the papers. The search starts at the mean of sampled
    genomes, with ``sigma`` times their standard deviations. For d genes, the default of ``population`` is 4 + 3 ln(d),
    and that of ``sigma_rate``, the learning rate of the standard deviations, is (3 + ln(d)) / (5 sqrt(d)).
    ``mean_rate`` is the learning rate of the mean. Genes are clipped to their bounds, and grey values are rounded,
    before they are evaluated. Sources: Schaul, Glasmachers and Schmidhuber 2011; Wierstra et al. 2014.
    """
    space = Space(toolbox, "snes")
    dimensions = len(space.mean)
    size = population or 4 + int(3 * math.log(dimensions))
    rate = sigma_rate or (3 + math.log(dimensions)) / (5 * math.sqrt(dimensions))
    utilities = _utilities(size)
    mean, deviation = space.mean, sigma * space.spread
    while True:
        steps = rng.standard_normal((size, dimensions))
        fitness = space.fitness((yield space.genomes(mean + deviation * steps)))
        steps = steps[np.argsort(-fitness, kind="stable")]
        # einsum adds in the same order on every machine. A matrix product may not.
        mean = mean + mean_rate * deviation * np.einsum("i,ij->j", utilities, steps)
        deviation = deviation * np.exp(rate / 2 * np.einsum("i,ij->j", utilities, steps**2 - 1))


def _utilities(size: int) -> NDArray[np.float64]:
    """Return the weights of the ranks, the best first. Their sum is 0 (Wierstra et al. 2014, section 3.1)."""
    raw = np.maximum(0, math.log(size / 2 + 1) - np.log(np.arange(1, size + 1)))
    weights: NDArray[np.float64] = raw / raw.sum() - 1 / size
    return weights
