"""Blend crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Ge, Images, Le, Rng, crossover

from .._grey import to_grey


@crossover("blend", genome="pixels")
def blend(
    first: Images, second: Images, rng: Rng, *, alpha: Annotated[float, Ge(0), Le(100)] = 0.5
) -> tuple[Images, Images]:
    """Draw each gene uniformly from between its parents' and ``alpha`` times their distance beyond.

    Each child draws its own; results are rounded and clipped to 0 ... 255 (BLX-alpha, Eshelman and Schaffer 1993).
    """
    low, high = np.minimum(first, second).astype(np.float64), np.maximum(first, second).astype(np.float64)
    reach = alpha * (high - low)
    one, other = rng.uniform(low - reach, high + reach, (2, *first.shape))
    return to_grey(one), to_grey(other)
