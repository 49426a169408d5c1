"""How far an image is from the real ones: its nearest neighbours in a dataset, which nobody attacked."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Images, Split

NEIGHBOURS = 5  # that vote
TYPICAL = 200  # real images of a class that tell which distances are usual
_ROWS = 5000  # training images that are compared at a time


@dataclass(frozen=True)
class Neighbour:
    """The training image of a class that is nearest to an image.

    Attributes
    ----------
    image : uint8 (h, w, c)
    distance : Euclidean, in grey levels
    farther : the share of real test images of the class that are farther from their own nearest training image of it;
        NaN where there are none
    verdict : the class of most of the five nearest training images of any class; of equals, that of the nearest
    """

    image: NDArray[np.uint8]
    distance: float
    farther: float
    verdict: int


class Neighbourhood:
    """The training images of a dataset, and how far real images are from them."""

    def __init__(self, data: Split) -> None:
        self._data = data
        self._usual: dict[int, NDArray[np.float64]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels) of the images."""
        return self._data.train_images.shape[1:]

    def has(self, target: int) -> bool:
        """Tell whether there are training images of a class."""
        return bool(np.any(self._data.train_labels == target))

    def nearest(self, images: Images, targets: Sequence[int]) -> list[Neighbour]:
        """Return the neighbour of each image (n, h, w, c) in the class of its target, which has training images."""
        squares = self._squares(images)
        labels = self._data.train_labels
        found = []
        for row, target in zip(squares, targets, strict=True):
            place = int(np.where(labels == target, row, np.inf).argmin())
            distance = float(np.sqrt(row[place]))
            usual = self._distances(target)
            farther = float(np.mean(usual > distance)) if len(usual) else math.nan
            found.append(Neighbour(self._data.train_images[place], distance, farther, _vote(row, labels)))
        return found

    def _distances(self, target: int) -> NDArray[np.float64]:
        """Return the distances of some real test images of a class to their nearest training image of it."""
        if target not in self._usual:
            real = self._data.test_images[self._data.test_labels == target][:TYPICAL]
            own = self._data.train_images[self._data.train_labels == target]
            self._usual[target] = np.sqrt(_squares(real, own).min(axis=1)) if len(real) else np.empty(0)
        return self._usual[target]

    def _squares(self, images: Images) -> NDArray[np.float64]:
        return _squares(images, self._data.train_images)


def _squares(images: Images, others: Images) -> NDArray[np.float64]:
    """Return the squared distances (n, m), exactly: sums of integers, which float64 holds whatever their order."""
    flat = _flat(images)
    own = np.square(flat).sum(axis=1)[:, None]
    parts = [_flat(others[start : start + _ROWS]) for start in range(0, len(others), _ROWS)]
    return np.concatenate([own - 2 * flat @ part.T + np.square(part).sum(axis=1) for part in parts], axis=1)


def _flat(images: Images) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64)


def _vote(squares: Array, labels: Array) -> int:
    order = np.argsort(squares, kind="stable")[:NEIGHBOURS]
    nearest: list[int] = labels[order].tolist()
    votes = Counter(nearest)
    return next(label for label in nearest if votes[label] == max(votes.values()))
