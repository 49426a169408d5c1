"""Creep mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from .._grey import to_grey
from ._places import draw_positions


@mutation("creep", genome="uint8")
def creep(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    step: Annotated[int, Ge(1), Le(255)] = 32,
) -> Images:
    """Raise or lower each gene with probability ``rate`` by 1 to ``step`` grey levels.

    All steps are equally likely. Results are clipped to 0 ... 255. Source: Davis 1991.
    """
    flat = images.reshape(-1)
    positions = draw_positions(flat.size, rate, rng)
    steps = rng.integers(1, step, len(positions), endpoint=True)
    flat[positions] = to_grey(flat[positions] + np.where(rng.random(len(positions)) < 0.5, steps, -steps))
    return images
