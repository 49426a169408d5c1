"""DEAP's own mutation operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Ge, Gt, Images, Le, Rng, mutation

from .._deap import Randomness
from .._grey import to_grey

Operator = Literal["mutShuffleIndexes", "mutPolynomialBounded", "mutUniformInt", "mutGaussian", "mutFlipBit"]


@mutation("deap", genome="pixels")
def deap(
    images: Images,
    rng: Rng,
    *,
    operator: Operator = "mutUniformInt",
    indpb: Annotated[float, Gt(0), Le(1)] = 0.01,
    eta: Annotated[float, Ge(0)] = 15.0,
    mu: float = 0.0,
    sigma: Annotated[float, Gt(0)] = 40.0,
) -> Images:
    """Mutate image by image by an ``operator`` of DEAP's own, unmodified (Fortin et al. 2012).

    ``indpb`` is the probability of each value, ``eta`` is for mutPolynomialBounded, ``mu`` and ``sigma`` are for
    mutGaussian. To mutFlipBit any value above 0 is a 1. Results are rounded and clipped to 0 ... 255. Slower than the
    stock mutations: for comparison.
    """
    from deap import tools

    own: dict[str, dict[str, Any]] = {
        "mutPolynomialBounded": {"eta": eta, "low": 0.0, "up": 255.0},
        "mutUniformInt": {"low": 0, "up": 255},
        "mutGaussian": {"mu": mu, "sigma": sigma},
    }
    randomness = Randomness(rng)
    for index, image in enumerate(images):
        with randomness():
            (mutant,) = getattr(tools, operator)(image.ravel().tolist(), indpb=indpb, **own.get(operator, {}))
        images[index] = to_grey(np.array(mutant, np.float64)).reshape(image.shape)
    return images
