"""Where sparse mutations hit."""

import math

import numpy as np

from fooldeap.plugin import Array, Rng


def hit(size: int, rate: float, rng: Rng) -> Array:
    """Return which of ``size`` places are hit, in order, when each is with probability ``rate``, independently.

    The gaps between them are geometric (Bernoulli trials), so the work grows with the hits and not with ``size``.
    """
    expected = size * rate
    enough = math.ceil(expected + 6 * math.sqrt(expected) + 16)
    places = np.cumsum(rng.geometric(rate, enough)) - 1
    while places[-1] < size:
        places = np.concatenate([places, places[-1] + np.cumsum(rng.geometric(rate, enough))])
    return places[: np.searchsorted(places, size)]
