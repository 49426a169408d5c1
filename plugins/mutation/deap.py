"""DEAP's own mutation operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation
from fooldeap.randomness import GlobalStream

from .._deap import parameters
from .._grey import to_grey

Operator = Literal["mutShuffleIndexes", "mutPolynomialBounded", "mutUniformInt", "mutGaussian", "mutFlipBit"]

_DEFAULTS: dict[str, dict[str, Any]] = {
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
    """Apply an ``operator`` of DEAP to each image.

    DEAP's functions are used unmodified (Fortin et al. 2012). ``indpb`` is the mutation probability of a gene (default
    0.01), ``eta`` is the distribution index of mutPolynomialBounded (15), and ``mu`` and ``sigma`` are mean and
    standard deviation of mutGaussian, in grey levels (0 and 40). mutFlipBit treats each value above 0 as 1. Results are
    rounded and clipped to 0 ... 255. This plugin is meant for comparisons. It is slower than the stock mutations,
    because it loops over the images in Python.
    """
    from deap import tools

    given = parameters(operator, _DEFAULTS[operator], indpb=indpb, eta=eta, mu=mu, sigma=sigma)
    given |= _RANGE.get(operator, {})
    stream = GlobalStream(rng)
    for index, image in enumerate(images):
        with stream.installed():
            (mutant,) = getattr(tools, operator)(image.ravel().tolist(), **given)
        images[index] = to_grey(np.array(mutant, np.float64)).reshape(image.shape)
    return images
