"""Uniform crossover."""

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Le, Rng, crossover

from ._swap import swap_genes


@crossover("uniform")
def uniform(
    first: Array, second: Array, rng: Rng, *, share: Annotated[float, Gt(0), Le(0.5)] = 0.5
) -> tuple[Array, Array]:
    """Swap each gene between two parents with probability ``share``, independently (Syswerda 1989)."""
    if share == 0.5:
        # Each bit of a random 64-bit word decides one gene.
        words = rng.bit_generator.random_raw(-(-first.size // 64))
        mask: Array = np.unpackbits(words.view(np.uint8), count=first.size).reshape(first.shape)
    else:
        mask = rng.random(first.shape) < share
    return swap_genes(first, second, mask)
