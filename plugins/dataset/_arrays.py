"""Checks that the datasets from files share."""

import numpy as np

from fooldeap.contract_checks import label_fault
from fooldeap.plugin import Array, InputError, Split


def split(where: str, train_images: Array, train_labels: Array, test_images: Array, test_labels: Array) -> Split:
    """Return the arrays as a checked `Split`.

    Images (n, h, w) become (n, h, w, 1). Labels (n, 1) become (n,).

    Raises
    ------
    InputError
        Images are not uint8 or there are none, or labels do not fit the images.
    """
    train, test = _images(train_images, "training images", where), _images(test_images, "test images", where)
    train_labels, test_labels = _flat(train_labels), _flat(test_labels)
    for images, labels, name in ((train, train_labels, "training"), (test, test_labels, "test")):
        fault = label_fault(labels, len(images), name)
        if fault:
            raise InputError(f"{where}: got {fault}{_cure_of_labels(labels)}")
    return Split(train, train_labels, test, test_labels)


def _flat(labels: Array) -> Array:
    """Return labels (n, 1) as (n,), others unchanged. The colour datasets of Keras have labels (n, 1)."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _images(images: Array, name: str, where: str) -> Array:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"{where}: its {name} are {images.dtype} {images.shape}, expected uint8 (n, height, width[, channels])"
            f"{_cure_of_images(images)}"
        )
    if not images.size:
        raise InputError(f"{where}: its {name} are {images.shape}, expected at least one image")
    return images if images.ndim == 4 else images[..., None]


def _cure_of_images(images: Array) -> str:
    if images.ndim == 2:
        return "; save images.reshape(-1, height, width, channels)"
    if images.ndim not in (3, 4) or images.dtype.kind not in "biuf" or not images.size:
        return ""
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind == "f" and 0 <= low <= high <= 1:
        return "; save numpy.rint(255 * images).astype('uint8')"
    return "; save images.astype('uint8')" if 0 <= low <= high <= 255 else ""


def _cure_of_labels(labels: Array) -> str:
    if labels.ndim == 2 and labels.dtype.kind in "biuf":  # a column for each class
        return "; save labels.argmax(axis=1)"
    return "; save labels.astype(int)" if labels.dtype.kind == "f" else ""
