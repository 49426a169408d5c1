"""The contracts of classifiers."""

import numpy as np

from fooldeap.contract_checks import CHANNELS, described
from fooldeap.errors import InputError
from fooldeap.plugin import Images
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import Subject

SIZES = (32, 7, 1)  # of batches; the engine never shows an empty one


@contract("classifier")
def _declares_shape_classes_and_digest(subject: Subject) -> None:
    shape, classes, digest = (getattr(subject.instance, name, None) for name in ("input_shape", "classes", "digest"))
    sides = isinstance(shape, tuple) and len(shape) == 3 and all(_is_count(side) for side in shape)
    demand(sides, f"its input_shape is {shape!r}, expected (height, width, channels)")
    demand(subject.instance.input_shape[2] in CHANNELS, f"its input_shape is {shape!r}, expected 1 or 3 channels")
    demand(_is_count(classes, 2), f"its classes are {classes!r}, expected a number of at least 2")
    demand(isinstance(digest, str) and digest, f"its digest is {digest!r}, expected a text that identifies the weights")
    demand(subject.build().digest == digest, "its digest changes; return the same digest for the same weights")


@contract("classifier")
def _returns_finite_logits(subject: Subject) -> None:
    for size in SIZES:
        images = _images(subject, size)
        with trying(f"for {size} images"):
            logits = subject.instance.logits(images)
        expected = (size, subject.instance.classes)
        valid = isinstance(logits, np.ndarray) and logits.dtype == np.float32 and logits.shape == expected
        demand(valid, f"for {size} images its logits are {described(logits)}, expected float32 {expected}")
        demand(np.isfinite(logits).all(), f"for {size} images it returns logits that are not finite")


@contract("classifier")
def _is_deterministic(subject: Subject) -> None:
    images = _images(subject, SIZES[0])
    with trying(f"for {len(images)} images"):
        one, other = (subject.instance.logits(images.copy()) for _ in range(2))
    demand(np.array_equal(one, other), "it returns different logits for the same images in a second call")


@contract("classifier")
def _does_not_change_the_images(subject: Subject) -> None:
    images = _images(subject, SIZES[0])
    with trying(f"for {len(images)} images"):
        subject.instance.logits(images)
    demand(np.array_equal(images, _images(subject, SIZES[0])), "it changes the images that it receives; work on a copy")


@contract("classifier")
def _returns_finite_gradients(subject: Subject) -> None:
    if not hasattr(subject.instance, "gradient"):
        return
    for size in SIZES:
        images = _images(subject, size)
        with trying(f"for the gradient of {size} images"):
            try:
                gradient = subject.instance.gradient(images, np.arange(size) % subject.instance.classes)
            except InputError:
                return  # this model has no gradient
        valid = isinstance(gradient, np.ndarray) and gradient.dtype == np.float32 and gradient.shape == images.shape
        demand(valid, f"its gradient for {size} images is {described(gradient)}, expected float32 {images.shape}")
        demand(np.isfinite(gradient).all(), f"its gradient for {size} images is not finite")
    images, targets = _images(subject, 2), np.arange(2)
    together = subject.instance.gradient(images, targets)
    alone = [subject.instance.gradient(images[row : row + 1], targets[row : row + 1])[0] for row in range(2)]
    demand(
        np.allclose(together, alone, rtol=1e-2, atol=1e-3 * np.abs(alone).max()),
        "its gradient for two images differs from those for each image alone; take the target of each image",
    )


def _images(subject: Subject, size: int) -> Images:
    """Return random images; the second is black, the third is white."""
    images = rng(3).integers(0, 256, (size, *subject.instance.input_shape), dtype=np.uint8)
    images[1:2], images[2:3] = 0, 255
    return images


def _is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)
