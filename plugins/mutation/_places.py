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
    last, parts = -1, []
    while last < size:
        gaps = rng.geometric(rate, count)
        # Clipping a gap to size + 1 still leads out of the range, and prevents overflow in the sum.
        np.minimum(gaps, size + 1, out=gaps)
        positions = np.cumsum(gaps, out=gaps)
        positions += last
        last = positions[-1]
        parts.append(positions)
    positions = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return positions[: np.searchsorted(positions, size)]
