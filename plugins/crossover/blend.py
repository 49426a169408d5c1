"""Blend crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, Rng, crossover

from .._grey import as_genes


@crossover("blend", genome=("uint8", "float64"))
def blend(
    first: Array, second: Array, rng: Rng, *, alpha: Annotated[float, Ge(0), Le(100)] = 0.5
) -> tuple[Array, Array]:
    """Draw each gene uniformly from an interval around the two genes of the parents (BLX-alpha).

    The interval extends beyond both genes by ``alpha`` times their distance. The two children are drawn independently.
    Grey values are rounded and clipped to 0 ... 255. Source: Eshelman and Schaffer 1993.
    """
    low, high = np.minimum(first, second).astype(np.float64), np.maximum(first, second).astype(np.float64)
    reach = alpha * (high - low)
    one, other = rng.uniform(low - reach, high + reach, (2, *first.shape))
    return as_genes(one, first.dtype), as_genes(other, first.dtype)
