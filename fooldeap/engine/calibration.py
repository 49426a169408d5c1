"""Measure a classifier before the first run: what its answers depend on, and the fastest batch size.

Calibration shows the classifier images of noise. A fast classifier is tested thoroughly. A slow one, such as a service
or a large network, gets few queries. Each answer is compared with later answers to the same image.
"""

import math
import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine.evaluation import ROWS, DependsOn, Evaluator
from fooldeap.formatting import per_second
from fooldeap.plugin import Array

SECONDS = 0.3  # duration of a trial
FEWEST, MOST = 2, 32  # number of small batches at the start of a trial
SIZES = (3, 4, 8, 16, 32, 64)  # batch sizes to try, as multiples; one is not a power of two, like most batches of a run
ROUNDING = 1e-5  # largest difference by rounding, relative to the largest logit
MOST_MEMORY = 100e6  # bytes that larger batches may need in addition
WORTH = 1.05  # minimum speedup before another batch size replaces the usual one

BY_CHANCE = "this classifier answers differently when it is shown the same images again"


class Calibration(NamedTuple):
    """The result of a calibration.

    Attributes
    ----------
    depends_on : what the answer to an image depends on. ``"image"``: only the image; its bits are the same in every
        batch whose size is a multiple of ``multiple``, at every position. ``"batch"``: also the other images in the
        batch, so runs cannot share a forward pass without changing each other's results. ``"chance"``: the same batch
        gets different answers, so no result is reproducible
    rows : the fastest batch size, in images
    noise : logits float32 (n, classes) of images of noise; empty for a billable classifier, which is not tested
    warnings : signs that the classifier was loaded wrongly, see `fooldeap.engine.classifier_checks`
    accuracy : on at most 2000 test images; None without a dataset
    rate : images per second in batches of ``rows``; 0 if it was not measured
    multiple : batches are padded to a multiple of it
    """

    depends_on: DependsOn
    rows: int
    noise: Array
    warnings: tuple[str, ...] = ()
    accuracy: float | None = None
    rate: float = 0.0
    multiple: int = ROWS


def calibrate(evaluator: Evaluator, rows: int | None = None) -> Calibration:
    """Calibrate the classifier of an evaluator.

    If ``rows`` is given, it is the batch size to use, and calibration only checks it. A billable classifier is not
    queried. It is assumed to depend on the image only.
    """
    if evaluator.billable:
        return Calibration("image", rows or evaluator.rows, np.empty((0, evaluator.classifier.classes), np.float32))
    found, by_rounding = _measure(evaluator, rows)
    if not by_rounding or evaluator.most_rows < 2 * ROWS:
        return found
    # On some processors, a network rounds a row in another way in a batch of 32 than in larger batches.
    usual, evaluator.multiple = evaluator.multiple, 2 * ROWS
    second, _ = _measure(evaluator, rows)
    evaluator.multiple = usual
    return second if second.depends_on == "image" else found


def _measure(evaluator: Evaluator, rows: int | None) -> tuple[Calibration, bool]:
    """Return the calibration for the evaluator's multiple, and whether answers differed, but by rounding only."""
    multiple = max(ROWS, evaluator.multiple)
    if rows is None:
        sizes = _sizes(evaluator.most_rows, multiple)
    else:
        rows = math.ceil(rows / multiple) * multiple
        sizes = sorted({min(SIZES[0] * multiple, rows), rows})
    trial, rates = _Trial(evaluator, sizes[-1], multiple), dict[int, float]()
    before = _peak_memory()
    for size in sizes:
        if rows is None and trial.over and not _pays(list(rates.values())):
            break
        # Twice the images need about twice the memory.
        if rows is None and 2 * (_peak_memory() - before) > MOST_MEMORY:
            break
        same, rates[size] = trial.agrees(size)
        if not same:
            found = trial.outcome(same=False, rows=evaluator.rows)
            return found, found.depends_on == "batch" and trial.rounds
    chosen = rows or _fastest(rates, evaluator.rows)
    return trial.outcome(same=True, rows=chosen)._replace(rate=rates.get(chosen, 0.0)), False


def _peak_memory() -> int:
    """Return the peak resident memory of the process in bytes, or 0 if the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _sizes(most: int, multiple: int) -> list[int]:
    """Return the batch sizes to try."""
    return [size * multiple for size in SIZES if size * multiple <= most] or [most // multiple * multiple]


def _pays(rates: list[float]) -> bool:
    """Return whether the last size was clearly faster than the one before, so a larger one may be faster still."""
    return len(rates) < 2 or rates[-1] > WORTH * rates[-2]


def _fastest(rates: dict[int, float], usual: int) -> int:
    """Return the fastest batch size.

    Return the usual size, or the nearest one that was tried, unless the fastest size is clearly faster. Also return it
    if no rate is known.
    """
    best, usual = max(rates, key=rates.__getitem__), min(usual, max(rates))
    return usual if rates[best] <= WORTH * rates.get(usual, 0.0) else best


class _Trial:
    """Images of noise and their answers: first from small batches, then from larger batches in random order.

    ``rows`` is the number of images in a small batch, and ``most`` that in the largest one.
    """

    def __init__(self, evaluator: Evaluator, most: int, rows: int) -> None:
        self._evaluator, self._rng, self._rows, self.rounds = evaluator, np.random.default_rng(0), rows, False
        shape = (max(most, FEWEST * rows), *evaluator.classifier.input_shape)
        self._images = self._rng.integers(0, 256, shape, dtype=np.uint8)
        self._answers = self._small_batch(0)  # the first call may take longer, because it initialises the model
        self._end = time.perf_counter() + SECONDS
        batches = min(MOST, len(self._images) // rows)
        while len(self._answers) < batches * rows and (len(self._answers) < FEWEST * rows or not self.over):
            self._answers = np.concatenate([self._answers, self._small_batch(len(self._answers))])
        self._small = len(self._answers)
        self._end = time.perf_counter() + SECONDS

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() > self._end

    def agrees(self, size: int) -> tuple[bool, float]:
        """Show ``size`` images in one batch. Return whether known answers are unchanged, and the images per second.

        The rate is 0 if the clock did not advance.
        """
        start = time.perf_counter()
        same = self._answered_alike(size)
        first = time.perf_counter()
        rate = per_second(size, first - start)
        if same and not self.over:  # the first call with a new batch size may take longer
            same = self._answered_alike(size)
            rate = max(rate, per_second(size, time.perf_counter() - first))
        return same, rate

    def _answered_alike(self, size: int) -> bool:
        known = len(self._answers)
        order = self._rng.permutation(max(size, known))[:size]
        answers = self._evaluator.probe(self._images[order])
        again = order < known
        new = np.argsort(order)[known:]
        before = self._answers[order[again]]
        same = np.array_equal(answers[again], before)
        self.rounds = np.abs(answers[again] - before).max(initial=0) <= ROUNDING * np.abs(before).max(initial=0)
        self._answers = np.concatenate([self._answers, answers[new]])
        return same

    def outcome(self, same: bool, rows: int) -> Calibration:
        """Return the calibration. If answers differ, first test whether the small batches are reproducible."""
        noise = self._answers[: self._small]
        if same:
            return Calibration("image", rows, noise, multiple=self._evaluator.multiple)
        again = np.concatenate([self._small_batch(start) for start in range(0, self._small, self._rows)])
        depends_on: DependsOn = "batch" if np.array_equal(again, noise) else "chance"
        return Calibration(depends_on, self._evaluator.rows, noise, multiple=self._evaluator.multiple)

    def _small_batch(self, start: int) -> NDArray[np.float32]:
        return self._evaluator.probe(self._images[start : start + self._rows])
