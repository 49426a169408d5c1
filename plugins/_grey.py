"""Arithmetic on the types of genes: grey values (uint8), black and white (bool), real numbers (float64)."""

from typing import Any

import numpy as np

from fooldeap.plugin import Array, Images, Rng

IMAGES = ("pixels", "blocks", "binary")  # genomes with the axes of images: (n, rows, columns, channels)
DISCRETE = ("uint8", "bool")  # dtypes with finitely many values


def as_genes(values: Array, dtype: Any) -> Array:
    """Convert real numbers to genes of ``dtype``.

    uint8: round, and clip to 0 ... 255. bool: true from 0.5 on. float: unchanged.
    """
    if dtype == np.uint8:
        return to_grey(values)
    return values >= 0.5 if dtype == np.bool_ else values.astype(dtype, copy=False)


def to_grey(values: Array) -> Images:
    """Round real numbers and clip them to 0 ... 255. Return uint8."""
    rounded = np.rint(values)
    grey: Images = np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)
    return grey


def draw_noise(shape: int | tuple[int, ...], dtype: Any, rng: Rng) -> Array:
    """Draw genes of dtype uint8 or bool. All values are equally likely."""
    genes: Array = rng.integers(0, 2 if dtype == np.bool_ else 256, shape, dtype=dtype)
    return genes
