"""Read the runs of a folder for a page: the result, image, snapshots, front and curves of each run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine import fronts, snapshots
from fooldeap.page import sources
from fooldeap.page.parts import name_of
from fooldeap.plugin import Predictions
from fooldeap.results import FrontImage, Snapshot
from fooldeap.storage.inputs import read

T = TypeVar("T")


class Curves(NamedTuple):
    """The best confidence and score of a run, and its evaluations, after each generation or each snapshot."""

    evaluations: Sequence[int]
    confidence: Sequence[float]
    score: Sequence[float]


class RunView(NamedTuple):
    """One target of one run: its row in ``result.json``, and its image, snapshots, front and curves if they exist."""

    title: str
    data: Mapping[str, Any]
    image: NDArray[np.uint8] | None
    snapshots: Sequence[Snapshot]
    front: Sequence[FrontImage]
    curves: Curves | None


def views(
    folder: Path, result: Mapping[str, Any], *, logs: bool = True, most: float = sources.MOST_IMAGES
) -> list[RunView]:
    """Return the runs of a result.

    ``logs``: read the curves from ``log.csv``, if it exists, not from the snapshots; ``most``: the limit in bytes for
    all images, see `sources.Images`.
    """
    rows = result["runs"]
    all_snapshots = _read_by_run(folder / snapshots.FILE, len(rows), snapshots.unpacked)
    all_fronts = _read_by_run(folder / fronts.FILE, len(rows), fronts.unpacked)
    all_curves = _read_log(folder / "log.csv") if logs else {}
    several_seeds = len({row["seed"] for row in rows}) > 1
    images, found = sources.Images(folder, most), []
    for row, taken, front in zip(rows, all_snapshots, all_fronts, strict=True):
        title = name_of(row["target"], result.get("names", ()))
        title += f", seed {row['seed']}" if several_seeds and logs else ""
        image = taken[-1].image if taken else images.get(row["image"])
        curves = all_curves.get((row["seed"], row["target"])) or _curves(taken, row["target"])
        found.append(RunView(title, row, image, taken, front, curves))
    return found


def _read_by_run(path: Path, runs: int, unpack: Callable[[bytes, int], list[list[T]]]) -> list[list[T]]:
    """Return the content of a file for each run; empty lists if the file is missing."""
    return unpack(read(path), runs) if path.is_file() else [[] for _ in range(runs)]


def _read_log(path: Path) -> dict[tuple[int, int], Curves]:
    """Return the curves in the log by seed and target."""
    by_run: dict[tuple[int, int], Curves] = {}
    for row in sources.rows(path):
        curves = by_run.setdefault((int(row["seed"]), int(row["target"])), Curves([], [], []))
        for column, cell in zip(
            curves, (int(row["evaluations"]), float(row["confidence"]), float(row["best"])), strict=True
        ):
            column.append(cell)  # type: ignore[attr-defined]
    return by_run


def _curves(taken: Sequence[Snapshot], target: int) -> Curves | None:
    """Return the curves through the snapshots; None if there are none."""
    if not taken:
        return None
    images = np.stack([each.image for each in taken])
    logits = np.stack([each.logits for each in taken])
    confidence = Predictions(logits, images, taken[0].confidence_kind).probabilities[:, target]
    return Curves([each.evaluations for each in taken], confidence.tolist(), [each.score for each in taken])
