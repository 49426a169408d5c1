"""Simulated binary crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Images, Le, Rng, crossover

from .._grey import to_grey


@crossover("sbx", genome="pixels")
def sbx(
    first: Images,
    second: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.5,
    eta: Annotated[float, Ge(0)] = 15.0,
) -> tuple[Images, Images]:
    """Spread two genes about their mean, as one-point crossover of binary numbers would.

    A gene is crossed with probability ``rate``. The larger ``eta``, the nearer the children are to their parents.
    Children stay within 0 ... 255 and are rounded; which child gets which value is drawn for each gene (Deb and Agrawal
    1995; bounded as in Deb's NSGA-II code).
    """
    low, high = np.minimum(first, second).astype(np.float64), np.maximum(first, second).astype(np.float64)
    distance = high - low
    u = rng.random(first.shape)
    mean, half = (low + high) / 2, distance / 2
    nearer = mean - half * _spread(u, low, distance, eta)
    farther = mean + half * _spread(u, 255 - high, distance, eta)
    exchanged = rng.random(first.shape) < 0.5
    crossed = (rng.random(first.shape) < rate) & (distance > 0)
    one, other = np.where(exchanged, farther, nearer), np.where(exchanged, nearer, farther)
    return np.where(crossed, to_grey(one), first), np.where(crossed, to_grey(other), second)


def _spread(u: Array, room: Array, distance: Array, eta: float) -> Array:
    """Return the spread factor, of a distribution cut off where a child would leave its ``room`` beyond a parent."""
    power = eta + 1
    beta = 1 + 2 * room / np.maximum(distance, 1)
    alpha = 2 - beta**-power
    scaled = u * alpha
    inside: Array = np.where(scaled <= 1, scaled, 1 / (2 - scaled)) ** (1 / power)
    return inside
