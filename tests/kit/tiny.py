"""A third-party classifier in a few lines of numpy, and faulty variants."""

import time

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Ge, Le, classifier, dataclass


@classifier("tiny")
@dataclass
class Tiny:
    """A linear classifier of 8 x 8 images in four classes, which keeps all images that it receives."""

    _: KW_ONLY
    sharpness: Annotated[float, Ge(-1e6), Le(1e6)] = 0.002

    input_shape = (8, 8, 1)
    classes = 4
    digest = "tiny"

    def __post_init__(self):
        self.weights = np.random.default_rng(7).normal(size=(64, 4)) * self.sharpness
        self.images = []

    def logits(self, images):
        self.images.append(images.copy())
        # Unlike a matrix product, einsum gives each row the same bits in every batch.
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, self.weights).astype(np.float32)

    def gradient(self, images, targets):
        logits = self.logits(images).astype(np.float64)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        slope = self.weights.T[targets] - p @ self.weights.T
        return slope.reshape(images.shape).astype(np.float32)


@classifier("neighbourly")
@dataclass
class Neighbourly(Tiny):
    """Returns logits that depend on the size of the batch."""

    def logits(self, images):
        return super().logits(images) * np.float32(1 + 1e-6 * (len(images) % 7))


@classifier("double")
@dataclass
class Double(Tiny):
    """Returns float64."""

    def logits(self, images):
        return super().logits(images).astype(np.float64)


@classifier("steep")
@dataclass
class Steep(Tiny):
    """Returns gradients of float64."""

    def gradient(self, images, targets):
        return super().gradient(images, targets).astype(np.float64)


@classifier("broken")
@dataclass
class ContractViolation(Tiny):
    """Returns NaN after 40 calls."""

    calls = 0
    patience = 40

    def logits(self, images):
        self.calls += 1
        return super().logits(images) * (np.float32("nan") if self.calls > self.patience else np.float32(1))


@classifier("breaks_late")
@dataclass
class BreaksLate(ContractViolation):
    """Returns NaN after 70 calls."""

    patience = 70


@classifier("billable")
@dataclass
class Billable(Tiny):
    """Declares that evaluations cost money."""

    billable = True


@classifier("slow_steps")
@dataclass
class SlowSteps(Tiny):
    """Takes ``pause`` seconds per call and does not keep the images."""

    _: KW_ONLY
    pause: float = 0.0

    def logits(self, images):
        time.sleep(self.pause)
        self.images.clear()
        return super().logits(images)
