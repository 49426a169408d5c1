"""The front of a run by several objectives: the images that it showed and that no other is better than.

They stand in ``fronts.npz``, arrays with a row an image, in the order of the runs in ``result.json`` and, of each, from
the highest first objective: ``run`` (the place in that order) and ``evaluations`` int64 (n,), ``objectives`` float64
(n, k), ``image`` uint8 (n, h, w, c) and ``logits`` float32 (n, classes).
"""

from collections.abc import Sequence

import numpy as np

from fooldeap import pareto
from fooldeap.plugin import Array
from fooldeap.results import FrontImage, RunResult
from fooldeap.storage import columns

FILE = "fronts.npz"
MOST = 200  # images of a front; of more, the least crowded stay
_FORMAT: columns.Format = {
    "run": (np.int64, 1),
    "evaluations": (np.int64, 1),
    "objectives": (np.float64, 2),
    "image": (np.uint8, 4),
    "logits": (np.float32, 2),
}


class Front:
    """The best front of all images that it was given, of equal ones the first; of more than `MOST` the least crowded.

    ``images`` are its members, from the highest first objective.
    """

    def __init__(self) -> None:
        self.images: tuple[FrontImage, ...] = ()
        self._objectives: Array | None = None  # of the images

    def add(self, objectives: Array, images: Array, logits: Array, before: int) -> None:
        """Take in images uint8 (n, h, w, c) with their objectives (n, k), shown after ``before`` others."""
        known = objectives[:0] if self._objectives is None else self._objectives
        fresh = np.flatnonzero(~pareto.as_good(known, objectives).any(axis=0))
        if not len(fresh):
            return  # which is the usual case, later on
        joined = np.concatenate([known, objectives[fresh] + 0.0])  # no -0.0
        kept = _least_crowded(joined, pareto.best(joined))
        kept = kept[np.lexsort(-joined[kept].T[::-1])]
        news = [
            FrontImage(before + 1 + row, tuple(values), images[row].copy(), logits[row].copy())
            for row, values in zip(fresh.tolist(), joined[len(known) :].tolist(), strict=True)
        ]
        candidates = [*self.images, *news]
        self.images, self._objectives = tuple(candidates[row] for row in kept.tolist()), joined[kept]


def _least_crowded(objectives: Array, front: Array) -> Array:
    """Leave out the most crowded one by one, for that makes room for those beside it (Kukkonen and Deb 2006)."""
    while len(front) > MOST:
        lonely = pareto.crowding(objectives[front], np.zeros(len(front), np.intp))
        front = np.delete(front, lonely.argmin())
    return front


def called(runs: Sequence[RunResult], names: Sequence[str]) -> tuple[str, ...]:
    """Return what the objectives of fronts are called: by these names if there are as many, nothing without fronts."""
    count = next((len(each.objectives) for run in runs for each in run.front), 0)
    return tuple(names) if len(names) == count else tuple(f"objective {number + 1}" for number in range(count))


def packed(runs: Sequence[RunResult]) -> bytes:
    """Return the fronts of runs, all on one classifier, as the content of a file; the same bits every time."""
    return columns.packed(_FORMAT, ((place, *each) for place, run in enumerate(runs) for each in run.front))


def unpacked(content: bytes, runs: int) -> list[list[FrontImage]]:
    """Return the front of each of so many runs.

    Raises
    ------
    ValueError
        The content is not what `packed` makes.
    """
    return [
        [FrontImage(int(evaluations), tuple(objectives.tolist()), *more) for evaluations, objectives, *more in run]
        for run in columns.by_run(_FORMAT, content, runs)
    ]
