"""Gradient ascent on the image: the white-box reference."""

import numpy as np

from fooldeap.plugin import Annotated, Ask, Evolution, Ge, Gt, InputError, Le, Lt, Rng, Toolbox, algorithm

from .._grey import to_grey


@algorithm("gradient_ascent", uses=())
def gradient_ascent(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(1)] = 1,
    step: Annotated[float, Gt(0)] = 10.0,
    decay: Annotated[float, Ge(0), Lt(1)] = 0.0,
    centre: Annotated[float, Ge(0), Le(255)] = 127.5,
) -> Evolution:
    """Climb log p(target) along its gradient by the image: not evolution, but what it is measured against.

    For classifiers that give gradients. Each of ``population`` images moves by ``step`` grey levels, root mean square,
    in every generation; then it shrinks by the share ``decay`` towards the grey value ``centre``, which is gradient
    ascent with L2 decay (Simonyan, Vedaldi and Zisserman 2014; figure 13 of Nguyen, Yosinski and Clune 2015). It keeps
    fractions of grey levels to itself and shows the images rounded, so the gradient is that of the image shown.
    """
    genomes = toolbox.sample(population)
    if not np.array_equal(toolbox.decode(genomes), genomes):
        raise InputError("gradient_ascent moves the image itself; use the genome 'pixels'")
    images = genomes.astype(np.float64)
    while True:
        reply = yield Ask(to_grey(images), gradient=True)
        slope = reply.gradient.astype(np.float64)
        steepness = np.sqrt(np.mean(np.square(slope), axis=(1, 2, 3), keepdims=True))
        images += step * slope / np.maximum(steepness, np.finfo(np.float64).tiny)
        images = np.clip(centre + (1 - decay) * (images - centre), 0, 255)
