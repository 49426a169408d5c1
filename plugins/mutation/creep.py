"""Creep mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from .._grey import to_grey
from ._places import hit


@mutation("creep", genome="uint8")
def creep(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    step: Annotated[int, Ge(1), Le(255)] = 32,
) -> Images:
    """Raise or lower each value with probability ``rate`` by 1 to ``step`` grey levels, all alike.

    Results are clipped to 0 ... 255 (Davis 1991).
    """
    flat = images.reshape(-1)
    places = hit(flat.size, rate, rng)
    steps = rng.integers(1, step, len(places), endpoint=True)
    flat[places] = to_grey(flat[places] + np.where(rng.random(len(places)) < 0.5, steps, -steps))
    return images
