"""Arithmetic on genes: grey values, which are bytes; black and white, which are bools; and real numbers."""

from typing import Any

import numpy as np

from fooldeap.plugin import Array, Images, Rng

IMAGES = ("pixels", "blocks", "binary")  # genomes that are laid out as an image is, (n, rows, columns, channels)
DISCRETE = ("uint8", "bool")  # genes that there are a few of


def as_genes(values: Array, dtype: Any) -> Array:
    """Return real numbers as genes of a dtype: rounded and clipped, where the genes are no real numbers."""
    if dtype == np.uint8:
        return to_grey(values)
    return values >= 0.5 if dtype == np.bool_ else values.astype(dtype, copy=False)


def to_grey(values: Array) -> Images:
    """Return real numbers as grey values: rounded, and clipped to 0 ... 255."""
    rounded = np.rint(values)
    grey: Images = np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)
    return grey


def noise(shape: int | tuple[int, ...], dtype: Any, rng: Rng) -> Array:
    """Return genes at random, each value equally likely: grey values, or black and white."""
    genes: Array = rng.integers(0, 2 if dtype == np.bool_ else 256, shape, dtype=dtype)
    return genes
