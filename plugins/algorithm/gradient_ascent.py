"""Gradient ascent on the image: the white-box reference."""

import numpy as np

from fooldeap.plugin import Annotated, Ask, Evolution, Ge, Gt, InputError, Le, Lt, Rng, Toolbox, algorithm

from .._grey import to_grey


@algorithm("gradient_ascent", uses=(), objectives="any")
def gradient_ascent(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(1)] = 1,
    step: Annotated[float, Gt(0)] = 10.0,
    decay: Annotated[float, Ge(0), Lt(1)] = 0.0,
    centre: Annotated[float, Ge(0), Le(255)] = 127.5,
) -> Evolution:
    """Increase log p(target) along its gradient. Unlike evolution, this uses the gradients of the network.

    The classifier must have gradients with respect to the image. In every generation, each of ``population`` images
    moves by ``step`` grey levels (root mean square). Then it shrinks by the share ``decay`` towards the grey value
    ``centre``. This is gradient ascent with L2 decay (Simonyan, Vedaldi and Zisserman 2014; figure 13 of Nguyen,
    Yosinski and Clune 2015). The algorithm keeps fractions of grey levels but evaluates rounded images, so the gradient
    is that of the rounded image.
    """
    genomes = toolbox.sample(population)
    if not np.array_equal(toolbox.decode(genomes), genomes):
        raise InputError("gradient_ascent changes the image directly; use the genome 'pixels'")
    images = genomes.astype(np.float64)
    while True:
        reply = yield Ask(to_grey(images), gradient=True)
        gradient = reply.gradient.astype(np.float64)
        norm = np.sqrt(np.mean(np.square(gradient), axis=(1, 2, 3), keepdims=True))
        images += step * gradient / np.maximum(norm, np.finfo(np.float64).tiny)
        images = np.clip(centre + (1 - decay) * (images - centre), 0, 255)
