"""Find the nearest real image of each evolved image, for experiments on MNIST, which ships with fooldeap."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration import reading
from fooldeap.errors import InputError
from fooldeap.plugin import Images
from fooldeap.results import RunResult

_SHAPE = (28, 28, 1)
_CLASSES = 10
_BLOCK = 500  # images


def nearest_digits(configuration: str, runs: Sequence[RunResult]) -> list[NDArray[np.uint8] | None]:
    """Return for each run the nearest training image of its target class, uint8 (h, w, c), by Euclidean distance.

    An entry is None if the image has another shape than MNIST. All entries are None if ``configuration``, an experiment
    as YAML, uses another dataset than MNIST.
    """
    found: list[NDArray[np.uint8] | None] = [None] * len(runs)
    places = [
        place for place, run in enumerate(runs) if run.image.pixels.shape == _SHAPE and run.target in range(_CLASSES)
    ]
    if not places or not _uses_mnist(configuration):
        return found
    places_of = {target: [place for place in places if runs[place].target == target] for target in range(_CLASSES)}
    smallest = np.full(len(runs), np.inf)
    for digits, labels in _training_digits():
        for target, own in places_of.items():
            candidates = digits[labels == target]
            if not own or not len(candidates):
                continue
            squared = _squared_distances(np.stack([runs[place].image.pixels for place in own]), candidates)
            for place, row in zip(own, squared, strict=True):
                nearest = row.argmin()
                if row[nearest] < smallest[place]:
                    smallest[place], found[place] = row[nearest], candidates[nearest]
    return found


def _squared_distances(images: Images, others: Images) -> NDArray[np.int32]:
    """Return the exact squared distances (n, m) in integers, which are faster than real numbers for few images."""
    differences = images.reshape(len(images), 1, -1).astype(np.int16) - others.reshape(len(others), -1)
    squared: NDArray[np.int32] = np.einsum("ijk,ijk->ij", differences, differences, dtype=np.int32, casting="unsafe")
    return squared


def _training_digits() -> Iterator[tuple[Images, NDArray[np.uint8]]]:
    """Yield the training images and labels of MNIST in small blocks: all images together take 47 MB."""
    with (
        resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path,
        zipfile.ZipFile(path) as archive,
        archive.open("x_train.npy") as images,
        archive.open("y_train.npy") as labels,
    ):
        (count, *shape), _, dtype = _header(images)
        _header(labels)
        for start in range(0, count, _BLOCK):
            rows = min(_BLOCK, count - start)
            block = np.frombuffer(images.read(rows * math.prod(shape)), dtype)
            yield block.reshape(rows, *shape, 1), np.frombuffer(labels.read(rows), dtype)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    np.lib.format.read_magic(file)  # version 1.0
    return np.lib.format.read_array_header_1_0(file)


def _uses_mnist(configuration: str) -> bool:
    """Return whether an experiment names the dataset MNIST, or no dataset and a classifier that ships with fooldeap."""
    try:
        experiment = reading.parse(configuration, "configuration", Path.cwd()).data
    except InputError:
        return False
    dataset, classifier = experiment.get("dataset"), experiment.get("classifier")
    if dataset is not None:
        return bool(dataset == "mnist" or (isinstance(dataset, dict) and dataset.get("name") == "mnist"))
    shipped = (resources.files("fooldeap.data") / "classifiers").iterdir()
    model = classifier.get("model") if isinstance(classifier, dict) else None
    return str(model) in {each.name.rpartition(".")[0] for each in shipped}
