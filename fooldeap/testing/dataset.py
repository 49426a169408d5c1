"""What data sets promise."""

from dataclasses import astuple

import numpy as np

from fooldeap.faults import described
from fooldeap.plugin import Array, Split
from fooldeap.testing.batches import identical
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand
from fooldeap.testing.subject import Subject


@contract("dataset")
def _gives_images_and_labels_that_fit(subject: Subject) -> None:
    data = subject.build().load()
    demand(isinstance(data, Split), f"it loads {described(data)}, expected a Split")
    _check(data.train_images, data.train_labels, "training")
    _check(data.test_images, data.test_labels, "test")
    train, test = data.train_images.shape[1:], data.test_images.shape[1:]
    demand(train == test, f"its training images are {train}, its test images {test}; expected one shape")
    most, label = data.train_labels.max(), data.test_labels.max()
    demand(label <= most, f"it has the test label {label}, its training labels go from 0 to {most}")


@contract("dataset")
def _loads_the_same_again(subject: Subject) -> None:
    one, other = (subject.build().load() for _ in range(2))
    demand(identical(_arrays(one), _arrays(other)), "it loads other images or labels the second time")


def _check(images: Array, labels: Array, part: str) -> None:
    right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4 and len(images)
    demand(right, f"its {part} images are {described(images)}, expected uint8 (n, height, width, channels)")
    right = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu" and labels.shape == (len(images),)
    demand(right, f"its {part} labels are {described(labels)}, expected integers ({len(images)},)")
    demand(labels.min() >= 0, f"it has the {part} label {labels.min()}, expected classes counted from 0")


def _arrays(data: object) -> object:
    return astuple(data) if isinstance(data, Split) else data
