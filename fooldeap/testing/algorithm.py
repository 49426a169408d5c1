"""What algorithms promise."""

import numpy as np

from fooldeap import config
from fooldeap.errors import FooldeapError
from fooldeap.experiment import Prepared
from fooldeap.plugin import Array, Images, Predictions
from fooldeap.testing.promise import SHAPES, Broken, Subject, contract, demand, rng


class _Linear:
    """A classifier of a few lines, to try algorithms on."""

    input_shape, classes, digest = SHAPES[0], 3, "linear"

    def logits(self, images: Images) -> Array:
        weights = rng(7).normal(0, 0.01, (images[:1].size or 30, 3))
        logits: Array = np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)
        return logits

    def gradient(self, images: Images, target: int) -> Array:
        weights = rng(7).normal(0, 0.01, (30, 3))
        p = np.exp(Predictions(self.logits(images), images).log_probabilities)
        slopes: Array = (weights[:, target] - p @ weights.T).reshape(images.shape).astype(np.float32)
        return slopes


@contract("algorithm")
def _evolves_the_same_for_the_same_seed(subject: Subject) -> None:
    stop = {"confidence": None, "evaluations": 400, "generations": 30}
    arguments = {"algorithm": subject.choice.data(), "stop": stop, "reporters": []}
    try:
        experiment = config.load({}, arguments=arguments, plugins=[subject.plugin.target])
        one, other = (Prepared(experiment, _Linear()).run(None) for _ in range(2))
    except FooldeapError as error:
        raise Broken(f"on a small classifier, {error}") from error
    for result in one:
        demand(result.generations > 0, "it ends after its first generation")
    same = all(a.log == b.log and np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    demand(same, "it evolves otherwise for the same seed; draw from rng and the toolbox alone")
