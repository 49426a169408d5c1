"""The nearest real image beside each evolved one, where the dataset is at hand: MNIST, which ships with fooldeap."""

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fooldeap.page import sources

if TYPE_CHECKING:
    from fooldeap.page.run import RunView

_SHAPE = (28, 28, 1)
_CLASSES = 10


def neighbours(configuration: str, runs: Sequence["RunView"]) -> list[NDArray[np.uint8] | None]:
    """Return for each run the training image uint8 (h, w, c) of its target's class that is nearest, by Euclid.

    None where that is not known: ``configuration``, an experiment as YAML, is about another dataset than MNIST.
    """
    wanted = [index for index, run in enumerate(runs) if _is_digit(run)]
    if not wanted or not _about_mnist(configuration):
        return [None] * len(runs)
    with resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path, np.load(path) as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    found: list[NDArray[np.uint8] | None] = [None] * len(runs)
    for target in sorted({runs[index].data["target"] for index in wanted}):
        own = images[labels == target]
        flat = own.reshape(len(own), -1).astype(np.float64)  # in which sums of squares of grey levels are exact
        squares = np.square(flat).sum(axis=1)
        for index in wanted:
            if runs[index].data["target"] == target:
                distances = squares - 2 * flat @ runs[index].image.reshape(-1).astype(np.float64)  # type: ignore[union-attr]
                found[index] = own[int(distances.argmin())][:, :, None]
    return found


def _is_digit(run: "RunView") -> bool:
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
