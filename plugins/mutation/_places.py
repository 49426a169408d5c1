"""Random positions for sparse mutations."""

import math

import numpy as np

from fooldeap.plugin import Array, Rng


def draw_positions(size: int, rate: float, rng: Rng) -> Array:
    """Draw the positions that a mutation changes, in ascending order.

    Each of ``size`` positions is drawn with probability ``rate``, independently. The gaps between them are drawn from
    the geometric distribution, so the time grows with the number of drawn positions and not with ``size``.
    """
    expected = size * rate
    count = math.ceil(expected + 6 * math.sqrt(expected) + 16)
    positions = np.full(1, -1)
    while positions[-1] < size:
        # Clipping a gap to size + 1 still leads out of the range, and prevents overflow in the sum.
        gaps = np.minimum(rng.geometric(rate, count), size + 1)
        positions = np.concatenate([positions, positions[-1] + np.cumsum(gaps)])
    return positions[1 : np.searchsorted(positions, size)]
