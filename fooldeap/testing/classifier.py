"""What classifiers promise."""

import numpy as np

from fooldeap.errors import InputError
from fooldeap.faults import described
from fooldeap.plugin import Images
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import Subject

SIZES = (32, 7, 1)  # of batches; the engine shows no empty one


@contract("classifier")
def _says_what_it_is(subject: Subject) -> None:
    shape, classes, digest = (getattr(subject.loaded, name, None) for name in ("input_shape", "classes", "digest"))
    sides = isinstance(shape, tuple) and len(shape) == 3 and all(_is_count(side) for side in shape)
    demand(sides, f"its input_shape is {shape!r}, expected (height, width, channels)")
    demand(_is_count(classes, 2), f"its classes are {classes!r}, expected how many there are, 2 or more")
    demand(isinstance(digest, str) and digest, f"its digest is {digest!r}, expected a text that identifies the weights")
    demand(subject.build().digest == digest, "its digest changes; the same weights have the same")


@contract("classifier")
def _scores_every_image_with_finite_numbers(subject: Subject) -> None:
    for size in SIZES:
        images = _images(subject, size)
        with trying(f"shown {size} images"):
            logits = subject.loaded.logits(images)
        expected = (size, subject.loaded.classes)
        right = isinstance(logits, np.ndarray) and logits.dtype == np.float32 and logits.shape == expected
        demand(right, f"shown {size} images its logits are {described(logits)}, expected float32 {expected}")
        demand(np.isfinite(logits).all(), f"shown {size} images it gives logits that are not finite")


@contract("classifier")
def _gives_the_same_images_the_same_scores(subject: Subject) -> None:
    images = _images(subject, SIZES[0])
    with trying(f"shown {len(images)} images"):
        one, other = (subject.loaded.logits(images.copy()) for _ in range(2))
    demand(np.array_equal(one, other), "it gives the same images other logits when it is shown them again")


@contract("classifier")
def _leaves_the_images_alone(subject: Subject) -> None:
    images = _images(subject, SIZES[0])
    with trying(f"shown {len(images)} images"):
        subject.loaded.logits(images)
    demand(np.array_equal(images, _images(subject, SIZES[0])), "it changes the images it is shown; work on a copy")


@contract("classifier")
def _gives_gradients_that_fit_if_any(subject: Subject) -> None:
    if not hasattr(subject.loaded, "gradient"):
        return
    for size in SIZES:
        images = _images(subject, size)
        with trying(f"asked for the gradient by {size} images"):
            try:
                gradient = subject.loaded.gradient(images, subject.loaded.classes - 1)
            except InputError:
                return  # this model has none
        right = isinstance(gradient, np.ndarray) and gradient.dtype == np.float32 and gradient.shape == images.shape
        demand(right, f"its gradient by {size} images is {described(gradient)}, expected float32 {images.shape}")
        demand(np.isfinite(gradient).all(), f"its gradient by {size} images is not finite")


def _images(subject: Subject, size: int) -> Images:
    """Return random images, a black one and a white one."""
    images = rng(3).integers(0, 256, (size, *subject.loaded.input_shape), dtype=np.uint8)
    images[1:2], images[2:3] = 0, 255
    return images


def _is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)
