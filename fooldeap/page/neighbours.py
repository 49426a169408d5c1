"""The nearest real image beside each evolved one, where the dataset is at hand: MNIST, which ships with fooldeap."""

from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fooldeap.page import sources
from fooldeap.page.views import RunView

_SHAPE = (28, 28, 1)
_CLASSES = 10
_SLACK = 10_000  # four times what sums of 784 squares of grey levels may be off in float32


def neighbours(configuration: str, runs: Sequence[RunView]) -> list[NDArray[np.uint8] | None]:
    """Return for each run the training image uint8 (h, w, c) of its target's class that is nearest, by Euclid.

    None where that is not known: ``configuration``, an experiment as YAML, is about another dataset than MNIST.
    """
    wanted = {index: run.image for index, run in enumerate(runs) if run.image is not None and _is_digit(run)}
    if not wanted or not _about_mnist(configuration):
        return [None] * len(runs)
    with (
        resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        images, labels = arrays["x_train"], arrays["y_train"]
    found: list[NDArray[np.uint8] | None] = [None] * len(runs)
    for target in sorted({runs[index].data["target"] for index in wanted}):
        own = images[labels == target]
        mine = {index: image for index, image in wanted.items() if runs[index].data["target"] == target}
        for index, place in zip(mine, _nearest([image[:, :, 0] for image in mine.values()], own), strict=True):
            found[index] = own[place][:, :, None]
    return found


def _nearest(images: Sequence[NDArray[np.uint8]], others: NDArray[np.uint8]) -> list[int]:
    """Return the place of the nearest other one of each image: all roughly, then exactly those that it may be."""
    flat = others.reshape(len(others), -1).astype(np.float32)
    squares = np.einsum("ij,ij->i", flat, flat)
    places = []
    for image in images:
        roughly = squares - 2 * flat @ image.reshape(-1).astype(np.float32)
        near = np.flatnonzero(roughly <= roughly.min() + _SLACK)
        exactly = np.square(others[near].astype(np.int64) - image).sum(axis=(1, 2))
        places.append(int(near[exactly.argmin()]))
    return places


def _is_digit(run: RunView) -> bool:
    return run.image is not None and run.image.shape == _SHAPE and run.data["target"] in range(_CLASSES)


def _about_mnist(configuration: str) -> bool:
    """Tell whether an experiment names MNIST, or no dataset and one of the classifiers that ship with fooldeap."""
    said = sources.parsed_yaml(configuration)
    dataset, classifier = said.get("dataset"), said.get("classifier")
    if dataset is not None:
        return bool(dataset == "mnist" or (isinstance(dataset, dict) and dataset.get("name") == "mnist"))
    shipped = (resources.files("fooldeap.data") / "classifiers").iterdir()
    model = classifier.get("model") if isinstance(classifier, dict) else None
    return str(model) in {each.name.rpartition(".")[0] for each in shipped}
