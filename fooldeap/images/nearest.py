"""Find the nearest real images of evolved images in a dataset, as a nearest-neighbour classifier does."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Images, Split

NEIGHBOURS = 5  # the number of nearest images that vote
TYPICAL = 200  # the number of real test images of a class whose distances are compared
_ROWS = 500  # training images per block, to limit memory


@dataclass(frozen=True)
class Neighbour:
    """The training image of a class that is nearest to an evolved image.

    Attributes
    ----------
    image : uint8 (h, w, c)
    distance : the Euclidean distance, in grey levels
    farther : the share of real test images of the class that are farther from their nearest training image of the
        class; NaN if there are none
    verdict : the most frequent class among the five nearest training images of all classes; in a tie, the class of the
        nearest of them
    """

    image: NDArray[np.uint8]
    distance: float
    farther: float
    verdict: int


class Neighbourhood:
    """The training images of a dataset, for nearest-neighbour queries."""

    def __init__(self, data: Split) -> None:
        self._data = data
        self._typical: dict[int, NDArray[np.float64]] = {}  # by class, see `_distances`

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels) of the images."""
        return self._data.train_images.shape[1:]

    def has(self, target: int) -> bool:
        """Return whether there are training images of a class."""
        return bool(np.any(self._data.train_labels == target))

    def nearest(self, images: Images, targets: Sequence[int]) -> list[Neighbour]:
        """Return for each image (n, h, w, c) its nearest neighbour in its target class, which has training images."""
        squares = squared_distances(images, self._data.train_images)
        labels = self._data.train_labels
        neighbours = []
        for row, target in zip(squares, targets, strict=True):
            index = int(np.where(labels == target, row, np.inf).argmin())
            distance = float(np.sqrt(row[index]))
            typical = self._distances(target)
            farther = float(np.mean(typical > distance)) if len(typical) else math.nan
            neighbours.append(Neighbour(self._data.train_images[index], distance, farther, _vote(row, labels)))
        return neighbours

    def _distances(self, target: int) -> NDArray[np.float64]:
        """Return the distances of some real test images of a class to their nearest training image of the class."""
        if target not in self._typical:
            real = self._data.test_images[self._data.test_labels == target][:TYPICAL]
            own = self._data.train_images[self._data.train_labels == target]
            self._typical[target] = np.sqrt(squared_distances(real, own).min(axis=1)) if len(real) else np.empty(0)
        return self._typical[target]


def squared_distances(images: Images, others: Images) -> NDArray[np.float64]:
    """Return the squared distances (n, m). They are exact: float64 represents these sums of integers without error."""
    flat = _flatten(images)
    own = _squares(flat)[:, None]
    squared = np.empty((len(images), len(others)))
    for start in range(0, len(others), _ROWS):
        block = _flatten(others[start : start + _ROWS])
        squared[:, start : start + _ROWS] = own - 2 * flat @ block.T + _squares(block)
    return squared


def _squares(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", flat, flat)
    return squares


def _flatten(images: Images) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64)


def _vote(squares: Array, labels: Array) -> int:
    order = np.argsort(squares, kind="stable")[:NEIGHBOURS]
    nearest: list[int] = labels[order].tolist()
    votes = Counter(nearest)
    return next(label for label in nearest if votes[label] == max(votes.values()))
