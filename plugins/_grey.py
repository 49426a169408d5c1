"""Arithmetic on grey values."""

from typing import Any

import numpy as np

from fooldeap.plugin import Array, Images


def as_genes(values: Array, dtype: Any) -> Array:
    """Return real numbers as genes: grey values, where the genes are bytes, and else as they are."""
    return to_grey(values) if dtype == np.uint8 else values.astype(dtype, copy=False)


def to_grey(values: Array) -> Images:
    """Return real numbers as grey values: rounded, and clipped to 0 ... 255."""
    grey: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return grey
