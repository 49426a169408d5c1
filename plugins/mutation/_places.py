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
    places = np.full(1, -1)
    while places[-1] < size:
        # A gap that leads out of the range does so when it is cut, too, and sums of cut ones do not overflow.
        gaps = np.minimum(rng.geometric(rate, enough), size + 1)
        places = np.concatenate([places, places[-1] + np.cumsum(gaps)])
    return places[1 : np.searchsorted(places, size)]
