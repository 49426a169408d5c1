"""The runs of a folder as pages show them: result, image, curves, and how the image came about."""

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
    """How a run grew: after each of its generations, or of some, the best until then."""

    evaluations: Sequence[int]
    confidence: Sequence[float]
    score: Sequence[float]


class RunView(NamedTuple):
    """One target of one run, as pages show it: its row in ``result.json``, image, film, front, and curves."""

    title: str
    data: Mapping[str, Any]
    image: NDArray[np.uint8] | None
    snapshots: Sequence[Snapshot]
    front: Sequence[FrontImage]
    curves: Curves | None


def views(
    folder: Path, result: Mapping[str, Any], *, logs: bool = True, most: float = sources.MOST_IMAGES
) -> list[RunView]:
    """Return the runs of a result, with what the folder holds of each.

    ``logs``: curves from ``log.csv``; ``most``: bytes of all images, those after them are left out.
    """
    rows = result["runs"]
    films = _by_run(folder / snapshots.FILE, len(rows), snapshots.unpacked)
    best = _by_run(folder / fronts.FILE, len(rows), fronts.unpacked)
    read_off = _logs(folder / "log.csv") if logs else {}
    several = len({row["seed"] for row in rows}) > 1
    images, found = sources.Images(folder, most), []
    for row, film, front in zip(rows, films, best, strict=True):
        title = name_of(row["target"], result.get("names", ()))
        title += f", seed {row['seed']}" if several and logs else ""
        picture = film[-1].image if film else images.get(row["image"])
        curves = read_off.get((row["seed"], row["target"])) or _curves(film, row["target"])
        found.append(RunView(title, row, picture, film, front, curves))
    return found


def _by_run(path: Path, runs: int, unpacked: Callable[[bytes, int], list[list[T]]]) -> list[list[T]]:
    """Return what a file holds of each run, nothing where it is not there."""
    return unpacked(read(path), runs) if path.is_file() else [[] for _ in range(runs)]


def _logs(path: Path) -> dict[tuple[int, int], Curves]:
    """Return the curves of the log by seed and target."""
    found: dict[tuple[int, int], Curves] = {}
    for row in sources.rows(path):
        curves = found.setdefault((int(row["seed"]), int(row["target"])), Curves([], [], []))
        for column, cell in zip(
            curves, (int(row["evaluations"]), float(row["confidence"]), float(row["best"])), strict=True
        ):
            column.append(cell)  # type: ignore[attr-defined]
    return found


def _curves(film: Sequence[Snapshot], target: int) -> Curves | None:
    if not film:
        return None
    images = np.stack([each.image for each in film])
    confidence = Predictions(np.stack([each.logits for each in film]), images).probabilities[:, target]
    return Curves([each.evaluations for each in film], confidence.tolist(), [each.score for each in film])
