"""Uniform crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, crossover

from ._swap import swapped


@crossover("uniform")
def uniform(
    first: Array, second: Array, rng: Rng, *, share: Annotated[float, Gt(0), Le(0.5)] = 0.5
) -> tuple[Array, Array]:
    """Swap each gene between two parents with probability ``share`` (Syswerda 1989)."""
    if share == 0.5:
        # A random word holds 64 fair coins.
        words = rng.bit_generator.random_raw(-(-first.size // 64))
        coins: Array = np.unpackbits(words.view(np.uint8), count=first.size).reshape(first.shape)
    else:
        coins = rng.random(first.shape) < share
    return swapped(first, second, coins)
