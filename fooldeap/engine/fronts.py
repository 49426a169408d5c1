"""The Pareto front of a run with several objectives: its images that no other image dominates.

Fronts are stored in ``fronts.npz``. Each array has one row per image, in the order of the runs in ``result.json`` and,
within a run, by decreasing first objective. The arrays are ``run`` (the index of the run) and ``evaluations`` int64
(n,), ``objectives`` float64 (n, k), ``image`` uint8 (n, h, w, c) and ``logits`` float32 (n, classes). The array
``confidence_kind`` (n,) is missing if it is ``softmax`` everywhere.
"""

from collections.abc import Sequence

import numpy as np

from fooldeap import pareto
from fooldeap.plugin import Array
from fooldeap.results import SOFTMAX, FrontImage, RunResult
from fooldeap.storage import npz

FILE = "fronts.npz"
MOST = 200  # images in a front; if there are more, the least crowded stay
_FORMAT: npz.Format = {
    "run": (np.int64, 1),
    "evaluations": (np.int64, 1),
    "objectives": (np.float64, 2),
    "image": (np.uint8, 4),
    "logits": (np.float32, 2),
    "confidence_kind": (np.str_, 1),
}


class Front:
    """The Pareto front of all images that were added. It has at most `MOST` images, the least crowded ones.

    Of images with equal objectives, the front keeps the first. ``images`` are sorted by decreasing first objective.
    """

    def __init__(self) -> None:
        self.images: tuple[FrontImage, ...] = ()
        self._objectives: Array | None = None  # of the images

    def add(self, objectives: Array, images: Array, logits: Array, before: int, kind: str = SOFTMAX) -> None:
        """Add images uint8 (n, h, w, c) with objectives (n, k). ``before`` images were shown earlier.

        ``kind`` is their ``confidence_kind``.
        """
        known = objectives[:0] if self._objectives is None else self._objectives
        fresh = np.flatnonzero(~pareto.as_good(known, objectives).any(axis=0))
        if not len(fresh):
            return  # the usual case in later generations
        joined = np.concatenate([known, objectives[fresh] + 0.0])  # turns -0.0 into 0.0
        kept = _least_crowded(joined, pareto.best(joined))
        kept = kept[np.lexsort(-joined[kept].T[::-1])]
        news = [
            FrontImage(before + 1 + row, tuple(values), images[row].copy(), logits[row].copy(), kind)
            for row, values in zip(fresh.tolist(), joined[len(known) :].tolist(), strict=True)
        ]
        candidates = [*self.images, *news]
        self.images, self._objectives = tuple(candidates[row] for row in kept.tolist()), joined[kept]


def _least_crowded(objectives: Array, front: Array) -> Array:
    """Remove the most crowded image repeatedly, updating the crowding each time (Kukkonen and Deb 2006)."""
    while len(front) > MOST:
        lonely = pareto.crowding(objectives[front], np.zeros(len(front), np.intp))
        front = np.delete(front, lonely.argmin())
    return front


def called(runs: Sequence[RunResult], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the objectives of fronts: ``names`` if their number matches. Empty without fronts."""
    count = next((len(each.objectives) for run in runs for each in run.front), 0)
    return tuple(names) if len(names) == count else tuple(f"objective {number + 1}" for number in range(count))


def packed(runs: Sequence[RunResult]) -> bytes:
    """Return the fronts of runs on one classifier as the content of a file. Equal fronts give equal bytes."""
    return npz.packed(_FORMAT, ((place, *each) for place, run in enumerate(runs) for each in run.front))


def unpacked(content: bytes, runs: int) -> list[list[FrontImage]]:
    """Return the front of each run. ``runs`` is the number of runs.

    Raises
    ------
    ValueError
        `packed` did not write the content.
    """
    return [
        [FrontImage(int(evaluations), tuple(objectives.tolist()), *more) for evaluations, objectives, *more in run]
        for run in npz.by_run(_FORMAT, content, runs)
    ]
