"""A mutation that uses only grey levels of the image."""

import numpy as np

from fooldeap.plugin import mutation


@mutation("shift_some", genome="pixels")
def shift_some(images, rng):
    """Copy some pixels over their neighbours."""
    return np.where(rng.random(images.shape) < 0.02, np.roll(images, 1, axis=2), images)
