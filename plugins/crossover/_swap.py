"""What the crossovers share that hand genes over as they are."""

import numpy as np

from fooldeap.plugin import Array, Rng


def swapped(first: Array, second: Array, mask: Array) -> tuple[Array, Array]:
    """Swap the genes where ``mask`` (0 or 1, any shape that spreads over the genes) is set, in place."""
    # np.where does the same, but guesses wrong at every other gene, and takes ten times as long.
    bits = f"u{first.itemsize}"
    one, other = first.view(bits), second.view(bits)
    differences = one ^ other
    differences *= mask
    one ^= differences
    other ^= differences
    return first, second


def stretches(length: int, count: int, rng: Rng) -> Array:
    """Return masks (count, length) of random stretches, between two different cuts out of ``length`` + 1."""
    one, other = rng.integers(0, length + 1, (count, 1)), rng.integers(0, max(length, 1), (count, 1))
    other += other >= one  # any cut but the first one
    order = np.arange(length)
    mask: Array = (order >= np.minimum(one, other)) & (order < np.maximum(one, other))
    return mask
