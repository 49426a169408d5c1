"""Arithmetic on grey values."""

import numpy as np

from fooldeap.plugin import Array, Images


def to_grey(values: Array) -> Images:
    """Return real numbers as grey values: rounded, and clipped to 0 ... 255."""
    grey: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return grey
