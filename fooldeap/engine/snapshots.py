"""Snapshots of the best image of each run, at generations 0, 1, 2, 3, 4, 6, 8, 11, 16, ... and at the end.

They are stored in ``snapshots.npz``. Each array has one row per snapshot, in the order of the runs in ``result.json``
and, within a run, of generations. The arrays are ``run`` (the index of the run), ``generation`` and ``evaluations``
int64 (n,), ``score`` float64 (n,), ``image`` uint8 (n, h, w, c) and ``logits`` float32 (n, classes). The array
``confidence_kind`` (n,) is missing if it is ``softmax`` everywhere.

In large experiments, snapshots are stored as `fooldeap.engine.stored_snapshots` describes.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine import stored_snapshots
from fooldeap.results import RunResult, Snapshot
from fooldeap.storage import npz
from fooldeap.storage.inputs import read

FILE = "snapshots.npz"
_FORMAT: npz.Format = {
    "run": (np.int64, 1),
    "generation": (np.int64, 1),
    "evaluations": (np.int64, 1),
    "score": (np.float64, 1),
    "image": (np.uint8, 4),
    "logits": (np.float32, 2),
    "confidence_kind": (np.str_, 1),
}


def due(generation: int) -> bool:
    """Return whether a generation is 0 or a rounded power of the square root of 2."""
    return generation == 0 or round(2 ** (round(2 * math.log2(generation)) / 2)) == generation


def with_last(taken: Sequence[Snapshot], score: float, logits: NDArray[np.float32]) -> Sequence[Snapshot]:
    """Return snapshots with another answer to the last image."""
    if isinstance(taken, stored_snapshots.StoredSnapshots):
        return taken.with_last(score, logits)
    return (*taken[:-1], taken[-1]._replace(score=score, logits=logits))


def read_file(path: Path, runs: int) -> Sequence[Sequence[Snapshot]]:
    """Return the snapshots of each run. ``runs`` is the number of runs. Images may be read when they are used.

    Raises
    ------
    ValueError
        The file has other content.
    """
    return stored_snapshots.read(path, runs) or unpacked(read(path), runs)


def packed(runs: Sequence[RunResult]) -> bytes:
    """Return the snapshots of runs on one classifier as the content of a file. Equal snapshots give equal bytes."""
    return npz.packed(_FORMAT, ((place, *each) for place, run in enumerate(runs) for each in run.snapshots))


def unpacked(content: bytes, runs: int) -> list[list[Snapshot]]:
    """Return the snapshots of each run. ``runs`` is the number of runs.

    Raises
    ------
    ValueError
        `packed` did not write the content.
    """
    return [
        [
            Snapshot(int(generation), int(evaluations), float(score), *more)
            for generation, evaluations, score, *more in run
        ]
        for run in npz.by_run(_FORMAT, content, runs)
    ]
