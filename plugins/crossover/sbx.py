"""Simulated binary crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, crossover

from .._grey import as_genes


@crossover("sbx", genome=("uint8", "float64"))
def sbx(
    first: Array,
    second: Array,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.5,
    eta: Annotated[float, Ge(0)] = 15.0,
) -> tuple[Array, Array]:
    """Move the two genes of the parents closer together or further apart, around their mean (SBX).

    Each gene is crossed with probability ``rate``. ``eta`` is the distribution index: the larger it is, the closer the
    children are to their parents. The two new values are assigned to the two children at random, gene by gene. Grey
    values are rounded and stay within 0 ... 255; near a bound, the form of Deb's NSGA-II code is used. Real numbers
    have no bounds. Source: Deb and Agrawal 1995.
    """
    low, high = np.minimum(first, second).astype(np.float64), np.maximum(first, second).astype(np.float64)
    distance = high - low
    u = rng.random(first.shape)
    mean, half = (low + high) / 2, distance / 2
    below, above = (low, 255 - high) if first.dtype == np.uint8 else (np.inf, np.inf)
    nearer = mean - half * _spread_factor(u, below, distance, eta)
    farther = mean + half * _spread_factor(u, above, distance, eta)
    exchanged = rng.random(first.shape) < 0.5
    crossed = (rng.random(first.shape) < rate) & (distance > 0)
    one, other = np.where(exchanged, farther, nearer), np.where(exchanged, nearer, farther)
    one, other = as_genes(one, first.dtype), as_genes(other, first.dtype)
    return np.where(crossed, one, first), np.where(crossed, other, second)


def _spread_factor(u: Array, room: Array | float, distance: Array, eta: float) -> Array:
    """Return the spread factor of each gene.

    ``u`` is uniform in [0, 1). The distribution is truncated so that a child is at most ``room`` beyond its parent.
    """
    power = eta + 1
    beta = 1 + 2 * room / np.maximum(distance, 1)
    alpha = 2 - beta**-power
    scaled = u * alpha
    inside: Array = np.where(scaled <= 1, scaled, 1 / (2 - scaled)) ** (1 / power)
    return inside
