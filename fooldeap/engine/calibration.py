"""What is found out about a classifier before the first run: what its answers depend on, how many images go fastest.

It is shown noise. A fast one is tried thoroughly; of a slow one, a service or a large network, little is asked: what
has been answered once is compared with the answers to all that follows.
"""

import time
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine.evaluation import ROWS, Evaluator
from fooldeap.formatting import per_second
from fooldeap.plugin import Array

SECONDS = 0.3  # of a trial, after which it comes to an end
FEWEST, MOST = 2, 32  # small batches that are shown first
SIZES = (96, 128, 256, 512, 1024, 2048)
WORTH = 1.05  # how much faster than the usual number another has to be

DependsOn = Literal["image", "batch", "chance"]
BY_CHANCE = "this classifier answers differently when it is shown the same images again"


class Calibration(NamedTuple):
    """What was found.

    ``depends_on`` says on what the answer to an image depends: ``"image"``, on nothing else, it has the same bits in
    any batch of a multiple of 32, at any place in it; ``"batch"``, on the images beside it, so runs cannot share a
    forward pass without changing each other's results; ``"chance"``, the very same batches are answered otherwise the
    next time, so no result can be found again. ``rows`` is how many images at a time go fastest. ``noise`` are the
    logits of images of noise, (n, classes), none where the classifier is taken at its word.
    """

    depends_on: DependsOn
    rows: int
    noise: Array


def calibrate(evaluator: Evaluator, rows: int | None = None) -> Calibration:
    """Find out about the classifier of an evaluator.

    ``rows`` are how many images at a time are to be shown where that is known; it is tried whether that will do. One
    that is billable is not asked, and taken at its word.
    """
    if evaluator.billable:
        return Calibration("image", rows or evaluator.rows, np.empty((0, evaluator.classifier.classes), np.float32))
    sizes = _sizes(evaluator.most_rows) if rows is None else sorted({min(SIZES[0], rows), rows})
    trial, rates = _Trial(evaluator, sizes[-1]), dict[int, float]()
    for size in sizes:
        if rows is None and trial.over and not _pays(list(rates.values())):
            break
        same, rates[size] = trial.agrees(size)
        if not same:
            return trial.outcome(same=False, rows=evaluator.rows)
    return trial.outcome(same=True, rows=rows or _fastest(rates, evaluator.rows))


def _sizes(most: int) -> list[int]:
    """Return the numbers of images to try, of which one is no power of two, as few batches of a run are one."""
    return [size for size in SIZES if size <= most] or [most]


def _pays(rates: list[float]) -> bool:
    """Tell whether the last number was clearly faster than the one before, so that a larger one may be faster yet."""
    return len(rates) < 2 or rates[-1] > WORTH * rates[-2]


def _fastest(rates: dict[int, float], usual: int) -> int:
    """Return the number at the highest rate; the usual one, or the nearest to it, unless it is clearly slower.

    The usual one as well where no rate is known.
    """
    best, usual = max(rates, key=rates.__getitem__), min(usual, max(rates))
    return usual if rates[best] <= WORTH * rates.get(usual, 0.0) else best


class _Trial:
    """Noise, and what was answered to it: first in small batches, and from then on in others, in any order."""

    def __init__(self, evaluator: Evaluator, most: int) -> None:
        self._evaluator, self._rng = evaluator, np.random.default_rng(0)
        shape = (max(most, FEWEST * ROWS), *evaluator.classifier.input_shape)
        self._images = self._rng.integers(0, 256, shape, dtype=np.uint8)
        self._answers = self._small_batch(0)  # which may take longer, as a model is made ready
        self._end = time.perf_counter() + SECONDS
        batches = min(MOST, len(self._images) // ROWS)
        while len(self._answers) < batches * ROWS and (len(self._answers) < FEWEST * ROWS or not self.over):
            self._answers = np.concatenate([self._answers, self._small_batch(len(self._answers))])
        self._small = len(self._answers)
        self._end = time.perf_counter() + SECONDS

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self._end

    def agrees(self, size: int) -> tuple[bool, float]:
        """Show so many images in a batch: are those that were known answered as before? And how many a second are.

        The rate is 0 where the clock did not advance.
        """
        start = time.perf_counter()
        same = self._answered_alike(size)
        first = time.perf_counter()
        rate = per_second(size, first - start)
        if same and not self.over:  # the first call with batches of a size may well take longer
            same = self._answered_alike(size)
            rate = max(rate, per_second(size, time.perf_counter() - first))
        return same, rate

    def _answered_alike(self, size: int) -> bool:
        known = len(self._answers)
        order = self._rng.permutation(max(size, known))[:size]
        answers = self._evaluator.probe(self._images[order])
        again = order < known
        new = np.argsort(order)[known:]
        same = np.array_equal(answers[again], self._answers[order[again]])
        self._answers = np.concatenate([self._answers, answers[new]])
        return same

    def outcome(self, same: bool, rows: int) -> Calibration:
        """Return what was found; where answers are not the same it is asked whether small batches are answered so."""
        noise = self._answers[: self._small]
        if same:
            return Calibration("image", rows, noise)
        again = np.concatenate([self._small_batch(start) for start in range(0, self._small, ROWS)])
        depends_on: DependsOn = "batch" if np.array_equal(again, noise) else "chance"
        return Calibration(depends_on, self._evaluator.rows, noise)

    def _small_batch(self, start: int) -> NDArray[np.float32]:
        return self._evaluator.probe(self._images[start : start + ROWS])
