"""A classifier that sleeps: it takes time, but no processor."""

import time
from typing import Annotated

import numpy as np

from fooldeap.plugin import KW_ONLY, Ge, classifier, dataclass


@classifier("sleeping")
@dataclass
class Sleeping:
    """A linear classifier that sleeps ``pause`` seconds for each image."""

    _: KW_ONLY
    pause: Annotated[float, Ge(0)] = 0.01

    input_shape = (8, 8, 1)
    classes = 10
    digest = "sleeping"

    def logits(self, images):
        time.sleep(self.pause * len(images))
        weights = np.random.default_rng(7).normal(size=(64, 10)) * 0.002
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)
