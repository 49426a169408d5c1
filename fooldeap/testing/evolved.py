"""A small experiment on which algorithms and reporters are tried."""

import math
from typing import Any

import numpy as np

from fooldeap.configuration import config
from fooldeap.plugin import Array, Images, Predictions, Result
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.testing.batches import rng
from fooldeap.testing.subject import SHAPES

GENERATIONS = 10


class _Linear:
    """A linear classifier of three classes."""

    input_shape, classes, digest = SHAPES[0], 3, "linear"
    weights = rng(7).normal(0, 0.005, (math.prod(SHAPES[0]), 3))

    def logits(self, images: Images) -> Array:
        # Unlike a matrix product, einsum gives each row the same bits in every batch.
        pixels = images.reshape(len(images), len(self.weights)) - 127.5
        logits: Array = np.einsum("ij,jk->ik", pixels, self.weights).astype(np.float32)
        return logits

    def gradient(self, images: Images, targets: Array) -> Array:
        p = Predictions(self.logits(images), images).probabilities
        slopes: Array = (self.weights.T[targets] - p @ self.weights.T).reshape(images.shape).astype(np.float32)
        return slopes


def run_experiment(plugins: Any = (), **arguments: Any) -> Result:
    """Run ten generations for three classes; ``arguments`` are keys of the experiment file."""
    stop = {"confidence": None, "evaluations": None, "generations": GENERATIONS}
    experiment = config.load({}, arguments={"stop": stop, "reporters": [], **arguments}, plugins=plugins)
    return ExperimentSession(experiment, _Linear()).run(None)


def predict(image: Array) -> Predictions:
    """Return the predictions of the classifier of `run_experiment` for one image, uint8 (h, w, c)."""
    return Predictions(_Linear().logits(image[None]), image[None])
