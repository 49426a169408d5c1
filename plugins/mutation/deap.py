"""DEAP's own mutation operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation
from fooldeap.randomness import GlobalStream

from .._deap import parameters
from .._grey import to_grey

Operator = Literal["mutShuffleIndexes", "mutPolynomialBounded", "mutUniformInt", "mutGaussian", "mutFlipBit"]

_USUAL: dict[str, dict[str, Any]] = {
    "mutShuffleIndexes": {"indpb": 0.01},
    "mutPolynomialBounded": {"indpb": 0.01, "eta": 15.0},
    "mutUniformInt": {"indpb": 0.01},
    "mutGaussian": {"indpb": 0.01, "mu": 0.0, "sigma": 40.0},
    "mutFlipBit": {"indpb": 0.01},
}
_RANGE: dict[str, dict[str, Any]] = {
    "mutPolynomialBounded": {"low": 0.0, "up": 255.0},
    "mutUniformInt": {"low": 0, "up": 255},
}


@mutation("deap", genome="uint8")
def deap(
    images: Images,
    rng: Rng,
    *,
    operator: Operator = "mutUniformInt",
    indpb: Annotated[float, Gt(0), Le(1)] | None = None,
    eta: Annotated[float, Ge(0)] | None = None,
    mu: float | None = None,
    sigma: Annotated[float, Gt(0)] | None = None,
) -> Images:
    """Mutate image by image by an ``operator`` of DEAP's own, unmodified (Fortin et al. 2012).

    ``indpb`` is the probability of each value (0.01), ``eta`` is for mutPolynomialBounded (15), ``mu`` and ``sigma``
    are for mutGaussian (0 and 40). To mutFlipBit any value above 0 is a 1. Results are rounded and clipped to
    0 ... 255. Slower than the stock mutations: for comparison.
    """
    from deap import tools

    given = parameters(operator, _USUAL[operator], indpb=indpb, eta=eta, mu=mu, sigma=sigma)
    given |= _RANGE.get(operator, {})
    stream = GlobalStream(rng)
    for index, image in enumerate(images):
        with stream.installed():
            (mutant,) = getattr(tools, operator)(image.ravel().tolist(), **given)
        images[index] = to_grey(np.array(mutant, np.float64)).reshape(image.shape)
    return images
