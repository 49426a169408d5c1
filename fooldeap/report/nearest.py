"""Find the nearest real image of each evolved image, for experiments on MNIST, which ships with fooldeap."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration import reading
from fooldeap.errors import InputError
from fooldeap.images.nearest import squared_distances
from fooldeap.results import RunResult

_SHAPE = (28, 28, 1)
_CLASSES = 10


def nearest_digits(configuration: str, runs: Sequence[RunResult]) -> list[NDArray[np.uint8] | None]:
    """Return for each run the nearest training image of its target class, uint8 (h, w, c), by Euclidean distance.

    An entry is None if the image has another shape than MNIST. All entries are None if ``configuration``, an experiment
    as YAML, uses another dataset than MNIST.
    """
    digits = [run.image.pixels.shape == _SHAPE and run.target in range(_CLASSES) for run in runs]
    if not any(digits) or not _uses_mnist(configuration):
        return [None] * len(runs)
    with (
        resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        images, labels = arrays["x_train"][..., None], arrays["y_train"]
    own = {target: images[labels == target] for target in {run.target for run in runs}}
    return [
        own[run.target][squared_distances(run.image.pixels[None], own[run.target]).argmin()] if digit else None
        for run, digit in zip(runs, digits, strict=True)
    ]


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
