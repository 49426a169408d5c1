"""What a third party might write: a classifier of a few lines of numpy, and variants of it that misbehave."""

import time

import numpy as np

from fooldeap.plugin import KW_ONLY, classifier, dataclass


@classifier("tiny")
@dataclass
class Tiny:
    """A linear classifier of 8 x 8 images in four classes, which counts what it is shown."""

    _: KW_ONLY
    sharpness: float = 0.002

    input_shape = (8, 8, 1)
    classes = 4
    digest = "tiny"

    def __post_init__(self):
        self.weights = np.random.default_rng(7).normal(size=(64, 4)) * self.sharpness
        self.images = []

    def logits(self, images):
        self.images.append(images.copy())
        # einsum, unlike a matrix product, gives each row the same bits in every batch.
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, self.weights).astype(np.float32)

    def gradient(self, images, target):
        logits = self.logits(images).astype(np.float64)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        slope = self.weights[:, target] - p @ self.weights.T
        return slope.reshape(images.shape).astype(np.float32)


@classifier("neighbourly")
@dataclass
class Neighbourly(Tiny):
    """Gives an image other bits in other company."""

    def logits(self, images):
        return super().logits(images) * np.float32(1 + 1e-6 * (len(images) % 7))


@classifier("double")
@dataclass
class Double(Tiny):
    """Gives float64."""

    def logits(self, images):
        return super().logits(images).astype(np.float64)


@classifier("steep")
@dataclass
class Steep(Tiny):
    """Gives gradients of float64."""

    def gradient(self, images, target):
        return super().gradient(images, target).astype(np.float64)


@classifier("broken")
@dataclass
class Broken(Tiny):
    """Gives NaN after a while."""

    calls = 0
    patience = 40

    def logits(self, images):
        self.calls += 1
        return super().logits(images) * (np.float32("nan") if self.calls > self.patience else np.float32(1))


@classifier("breaks_late")
@dataclass
class BreaksLate(Broken):
    """Gives NaN after a longer while."""

    patience = 70


@classifier("billable")
@dataclass
class Billable(Tiny):
    """Costs money."""

    billable = True


@classifier("slow_steps")
@dataclass
class SlowSteps(Tiny):
    """Takes ``pause`` seconds a call and has no memory of what it was shown."""

    _: KW_ONLY
    pause: float = 0.0

    def logits(self, images):
        time.sleep(self.pause)
        self.images.clear()
        return super().logits(images)
