"""A function as a classifier."""

import numpy as np


def bright_and_dark(images):
    """Return the brightness and the darkness of images uint8 (n, h, w, c) as scores of two classes."""
    bright = images.mean(axis=(1, 2, 3)) / 255
    return np.stack([bright, 1 - bright], axis=1)
