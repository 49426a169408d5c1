"""A quantile of the fitness."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Le, statistic


@statistic("quantile", genome="any")
def quantile(genomes: Array, fitness: Array, *, share: Annotated[float, Ge(0), Le(1)] = 0.5) -> float:
    """Compute the fitness below which a ``share`` of the generation lies; .5 is the median.

    Between two values, it is interpolated linearly. With several objectives, it is that of the first one.
    """
    first = fitness if fitness.ndim == 1 else fitness[:, 0]
    return float(np.quantile(first, share))
