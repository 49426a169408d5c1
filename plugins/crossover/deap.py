"""DEAP's own crossover operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, crossover

from .._deap import Randomness
from .._grey import to_grey

Operator = Literal["cxTwoPoint", "cxUniform", "cxOnePoint", "cxBlend", "cxSimulatedBinaryBounded"]


@crossover("deap", genome="pixels")
def deap(
    first: Images,
    second: Images,
    rng: Rng,
    *,
    operator: Operator = "cxTwoPoint",
    indpb: Annotated[float, Gt(0), Le(1)] = 0.5,
    alpha: Annotated[float, Ge(0)] = 0.5,
    eta: Annotated[float, Ge(0)] = 15.0,
) -> tuple[Images, Images]:
    """Cross pair by pair by an ``operator`` of DEAP's own, unmodified (Fortin et al. 2012).

    ``indpb`` is for cxUniform, ``alpha`` for cxBlend, ``eta`` for cxSimulatedBinaryBounded. Results are rounded and
    clipped to 0 ... 255. Slower than the stock crossovers: for comparison.
    """
    from deap import tools

    own: dict[str, dict[str, Any]] = {
        "cxUniform": {"indpb": indpb},
        "cxBlend": {"alpha": alpha},
        "cxSimulatedBinaryBounded": {"eta": eta, "low": 0.0, "up": 255.0},
    }
    randomness = Randomness(rng)
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        with randomness():
            children = getattr(tools, operator)(one.ravel().tolist(), other.ravel().tolist(), **own.get(operator, {}))
        for batch, child in zip((first, second), children, strict=True):
            batch[index] = to_grey(np.array(child, np.float64)).reshape(one.shape)
    return first, second
