"""Find the nearest real image of each evolved image, for experiments on MNIST, which ships with fooldeap."""

from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fooldeap.report import sources
from fooldeap.results import RunResult

_SHAPE = (28, 28, 1)
_CLASSES = 10
_SLACK = 10_000  # four times the largest rounding error of a sum of 784 squares of grey levels in float32


def neighbours(configuration: str, runs: Sequence[RunResult]) -> list[NDArray[np.uint8] | None]:
    """Return for each run the nearest training image of its target class, uint8 (h, w, c), by Euclidean distance.

    An entry is None if the image has another shape than MNIST. All entries are None if
    ``configuration``, an experiment as YAML, uses another dataset than MNIST.
    """
    wanted = {index: run.image.pixels for index, run in enumerate(runs) if _is_digit(run)}
    if not wanted or not _uses_mnist(configuration):
        return [None] * len(runs)
    with (
        resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        images, labels = arrays["x_train"], arrays["y_train"]
    found: list[NDArray[np.uint8] | None] = [None] * len(runs)
    for target in sorted({runs[index].target for index in wanted}):
        own = images[labels == target]
        mine = {index: image for index, image in wanted.items() if runs[index].target == target}
        for index, nearest in zip(mine, _nearest([image[:, :, 0] for image in mine.values()], own), strict=True):
            found[index] = own[nearest][:, :, None]
    return found


def _nearest(images: Sequence[NDArray[np.uint8]], others: NDArray[np.uint8]) -> list[int]:
    """Return for each image (h, w) the index of the nearest of the others (n, h, w).

    The distances to all others are computed in float32; those within the rounding error are then computed exactly.
    """
    flat = others.reshape(len(others), -1).astype(np.float32)
    squares = np.einsum("ij,ij->i", flat, flat)
    indices = []
    for image in images:
        approximate = squares - 2 * flat @ image.reshape(-1).astype(np.float32)
        candidates = np.flatnonzero(approximate <= approximate.min() + _SLACK)
        exact = np.square(others[candidates].astype(np.int64) - image).sum(axis=(1, 2))
        indices.append(int(candidates[exact.argmin()]))
    return indices


def _is_digit(run: RunResult) -> bool:
    return run.image.pixels.shape == _SHAPE and run.target in range(_CLASSES)


def _uses_mnist(configuration: str) -> bool:
    """Return whether an experiment names the dataset MNIST, or no dataset and a classifier that ships with fooldeap."""
    experiment = sources.parsed_yaml(configuration)
    dataset, classifier = experiment.get("dataset"), experiment.get("classifier")
    if dataset is not None:
        return bool(dataset == "mnist" or (isinstance(dataset, dict) and dataset.get("name") == "mnist"))
    shipped = (resources.files("fooldeap.data") / "classifiers").iterdir()
    model = classifier.get("model") if isinstance(classifier, dict) else None
    return str(model) in {each.name.rpartition(".")[0] for each in shipped}
