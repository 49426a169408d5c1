"""Records of the finished runs of a study: results, curve and image. A finished run is not evaluated again."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine import snapshots
from fooldeap.errors import InputError, blaming_damage
from fooldeap.results import FoolingImage, RunInfo, RunResult, column_of
from fooldeap.runs.worker_task import RunOutcome
from fooldeap.storage import files, inputs
from fooldeap.storage.sums import digest
from fooldeap.study.outcome import Floats, Key, RunRow

POINTS = 64  # of a curve
FIRST_POINT = 500  # the first point is at budget / 500
_BY_ITSELF = ("goal", "stalled", "finished")  # reasons why a run ended that a larger budget does not change


class Record(NamedTuple):
    """The record of one target of a finished run."""

    row: RunRow
    evaluations: NDArray[np.int64]  # at the end of each generation in which the best confidence rose
    confidence: Floats  # best confidence so far, at these evaluations
    image: NDArray[np.uint8]

    @property
    def key(self) -> Key:
        """Variant, target and seed."""
        return self.row.key

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The arrays of the record."""
        return self.evaluations, self.confidence, self.image

    def curve(self, points: NDArray[np.int64]) -> Floats:
        """Return the best confidence so far at each point. Before the end of the first generation it is 0."""
        return np.append(0.0, self.confidence)[np.searchsorted(self.evaluations, points, side="right")]


def grid(budget: int) -> NDArray[np.int64]:
    """Return the points of a curve, in evaluations: evenly spaced on a logarithmic scale, up to the budget."""
    points = np.geomspace(max(1, budget // FIRST_POINT), budget, POINTS)
    return np.unique(points.round().astype(np.int64))


class Records:
    """The records in a folder of variants.

    The files are ``<variant>/records/<run>.json``, ``<variant>/images/seed-<seed>/<target>.png`` and, for the runs of
    the first seed, ``<variant>/snapshots/seed-<seed>/<target>.npz``. A record contains the digests of its experiment
    and classifier, so records of other experiments are recognised and refused.

    ``earlier`` are the digests of the experiments before the study was extended, each with the budget of a run. A run
    of such an experiment is kept if it ended by itself before this budget. Otherwise, it is missing.
    """

    def __init__(self, folder: Path, *, force: bool = False, earlier: Mapping[str, int] | None = None) -> None:
        self.folder, self.force, self.earlier = folder, force, earlier or {}

    def keep(
        self, ended: RunOutcome, budget: int, belongs_to: Mapping[str, str], *, film: bool = False
    ) -> list[Record]:
        """Write the record of a run and return it, one `Record` per target. With ``film``, write its snapshots too."""
        records = [record_of(ended.info.variant, result, budget) for result in ended.results]
        runs = [
            {
                **record.row._asdict(),
                "steps": [record.evaluations.tolist(), record.confidence.tolist()],
                "image": self._write_and_sum(self._image_path(record.key), result.image.png()),
                **(
                    {"snapshots": self._write_and_sum(self._film_path(record.key), snapshots.packed([result]))}
                    if film
                    else {}
                ),
            }
            for result, record in zip(ended.results, records, strict=True)
        ]
        content = {**belongs_to, "runs": runs}
        # Written last, so a record means that its other files are complete.
        self._write(self._record_path(ended.info), _with_checksum(content))
        return records

    def any(self) -> bool:
        """Return whether any run has a record."""
        return next(self.folder.glob("*/records/*.json"), None) is not None

    def left_out(self, runs: Iterable[RunInfo]) -> tuple[str, ...]:
        """Return the runs with a record that are not in ``runs``, for example ``roulette/seed1-target3``."""
        others = set(self.folder.glob("*/records/*.json")) - {self._record_path(run) for run in runs}
        return tuple(sorted(f"{path.parent.parent.name}/{path.stem}" for path in others))

    def exists(self, info: RunInfo) -> bool:
        """Return whether a run has a record."""
        return self._record_path(info).is_file()

    def read(self, info: RunInfo, belongs_to: Mapping[str, str], budget: int) -> list[Record] | None:
        """Return the record of a run whose budget is ``budget``; None if the run is missing."""
        path = self._record_path(info)
        if not self.exists(info):
            return None
        with blaming_damage(path, "remove it to repeat the run"):
            raw = inputs.read(path)
            content = inputs.parsed(raw)
            del content["sha256"]
            if _with_checksum(content) != raw:
                raise ValueError("its checksum does not match")
            found = {name: content[name] for name in belongs_to}
            records = [self._restore(dict(run), info, budget) for run in content["runs"]]
        earlier = self.earlier.get(str(found.get("experiment")))
        if earlier is not None and found["experiment"] != belongs_to["experiment"]:
            if not all(each.row.stopped in _BY_ITSELF and each.row.evaluations < earlier for each in records):
                return None
            found["experiment"] = belongs_to["experiment"]
        for name, value in belongs_to.items():
            if found[name] != value and not self.force:
                raise InputError(
                    f"{path}: was made with another {name}; resume with the original study, or give the variant a new "
                    "name"
                )
        return records

    def _restore(self, run: dict[str, Any], info: RunInfo, budget: int) -> Record:
        (evaluations, confidence), checksum, film = run.pop("steps"), run.pop("image"), run.pop("snapshots", None)
        steps = np.array(evaluations, np.int64), np.array(confidence, float)
        row = RunRow(**{**run, "area": _area(*steps, max(budget, run["evaluations"]))})
        if row.variant != info.variant or row.seed != info.seed or row.target not in info.targets:
            raise ValueError("it belongs to another run")
        image = _read_checked(self._image_path(row.key), checksum)
        if film is not None:
            _read_checked(self._film_path(row.key), film)
        return Record(row, *steps, FoolingImage.from_png(image).pixels)

    def _record_path(self, info: RunInfo) -> Path:
        return self.folder / info.variant / "records" / f"{info._replace(variant='').label}.json"

    def _image_path(self, key: Key) -> Path:
        variant, target, seed = key
        return self.folder / variant / "images" / f"seed-{seed}" / f"{target}.png"

    def _film_path(self, key: Key) -> Path:
        variant, target, seed = key
        return self.folder / variant / "snapshots" / f"seed-{seed}" / f"{target}.npz"

    def _write_and_sum(self, path: Path, content: bytes) -> str:
        """Write a file and return its checksum."""
        self._write(path, content)
        return digest(content)

    def _write(self, path: Path, content: bytes) -> None:
        files.make_folders(self.folder.parent, path.parent)
        files.write_whole(path, content)


def _read_checked(path: Path, checksum: str) -> bytes:
    """Return the content of a file. Raise ValueError if it does not match the checksum in the record."""
    if not path.is_file() or digest(content := inputs.read(path)) != checksum:
        raise ValueError(f"{path} does not match its checksum")
    return content


def _with_checksum(content: dict[str, Any]) -> bytes:
    return json.dumps({**content, "sha256": digest(json.dumps(content).encode())}).encode()


def record_of(variant: str, result: RunResult, budget: int) -> Record:
    """Return the record of a result; ``budget`` is the budget of its run."""
    evaluations = column_of(result.log, "evaluations")
    best = np.maximum.accumulate(column_of(result.log, "confidence"))
    rises = np.flatnonzero(np.diff(best, prepend=-1.0))
    evaluations, best = evaluations[rises], best[rises]
    row = RunRow(
        variant=variant,
        target=result.target,
        seed=result.seed,
        evaluations_to_goal=result.evaluations_to_goal,
        evaluations_to_50=result.evaluations_to.get("0.5"),
        evaluations_to_90=result.evaluations_to.get("0.9"),
        evaluations_to_99=result.evaluations_to.get("0.99"),
        evaluations=result.evaluations,
        generations=result.generations,
        stopped=result.stopped,
        predicted=result.predicted,
        confidence=result.confidence,
        score=result.score,
        area=_area(evaluations, best, max(budget, result.evaluations)),
        diversity=float(np.mean(column_of(result.log, "diversity"))),
    )
    return Record(row, evaluations, best, result.image.pixels)


def _area(evaluations: NDArray[np.int64], best: Floats, end: int) -> float:
    """Return the mean of a step function from 0 to ``end``. Before the end of the first generation it is 0."""
    return float(best @ np.diff(np.append(evaluations, end))) / end


def sorted_rows(records: Iterable[Record]) -> tuple[RunRow, ...]:
    """Return the rows of records, sorted by variant, target and seed."""
    return tuple(record.row for record in sorted(records, key=lambda record: record.key))
