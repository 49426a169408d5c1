"""DEAP's own crossover operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, crossover
from fooldeap.randomness import GlobalStream

from .._deap import parameters
from .._grey import to_grey

Operator = Literal["cxTwoPoint", "cxUniform", "cxOnePoint", "cxBlend", "cxSimulatedBinaryBounded"]

_DEFAULTS: dict[str, dict[str, Any]] = {
    "cxUniform": {"indpb": 0.5},
    "cxBlend": {"alpha": 0.5},
    "cxSimulatedBinaryBounded": {"eta": 15.0},
}
_RANGE = {"cxSimulatedBinaryBounded": {"low": 0.0, "up": 255.0}}


@crossover("deap", genome="uint8")
def deap(
    first: Images,
    second: Images,
    rng: Rng,
    *,
    operator: Operator = "cxTwoPoint",
    indpb: Annotated[float, Gt(0), Le(1)] | None = None,
    alpha: Annotated[float, Ge(0), Le(100)] | None = None,
    eta: Annotated[float, Ge(0)] | None = None,
) -> tuple[Images, Images]:
    """Apply an ``operator`` of DEAP to each pair of parents.

    DEAP's functions are used unmodified (Fortin et al. 2012). Some have a parameter: ``indpb`` is the swap probability
    of a gene in cxUniform (default 0.5), ``alpha`` extends the interval of cxBlend (0.5), and ``eta`` is the
    distribution index of cxSimulatedBinaryBounded (15). Results are rounded and clipped to 0 ... 255. This plugin is
    meant for comparisons. It is slower than the stock crossovers, because it loops over the pairs in Python.
    """
    from deap import tools

    given = parameters(operator, _DEFAULTS.get(operator, {}), indpb=indpb, alpha=alpha, eta=eta)
    given |= _RANGE.get(operator, {})
    stream = GlobalStream(rng)
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        with stream.installed():
            children = getattr(tools, operator)(one.ravel().tolist(), other.ravel().tolist(), **given)
        for batch, child in zip((first, second), children, strict=True):
            batch[index] = to_grey(np.array(child, np.float64)).reshape(one.shape)
    return first, second
