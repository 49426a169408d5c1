"""What a study keeps of each run that ended, so that nothing of it is evaluated again: figures, curve and images."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap import trust
from fooldeap.engine import snapshots
from fooldeap.errors import InputError
from fooldeap.results import FoolingImage, RunInfo, RunResult
from fooldeap.runs.work import Ended
from fooldeap.storage import files, inputs
from fooldeap.storage.sums import digest
from fooldeap.study.outcome import RunRow

POINTS = 64  # of a curve
FIRST_POINT = 500  # so many times in the budget

Key = tuple[str, int, int]  # variant, target, seed
Floats = NDArray[np.float64]


class Record(NamedTuple):
    """One target of a run that ended."""

    row: RunRow
    evaluations: NDArray[np.int64]  # at the ends of the generations in which the best confidence rose
    confidence: Floats  # until there
    image: NDArray[np.uint8]

    @property
    def key(self) -> Key:
        """Variant, target and seed."""
        return self.row.variant, self.row.target, self.row.seed

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All of it but the row."""
        return self.evaluations, self.confidence, self.image

    def curve(self, points: NDArray[np.int64]) -> Floats:
        """Return the best confidence until each point; before the end of the first generation it is 0."""
        return np.append(0.0, self.confidence)[np.searchsorted(self.evaluations, points, side="right")]


def grid(budget: int) -> NDArray[np.int64]:
    """Return the evaluations at which curves are read off: evenly spaced on a logarithmic scale, up to the budget."""
    points = np.geomspace(max(1, budget // FIRST_POINT), budget, POINTS)
    return np.unique(points.round().astype(np.int64))


class Records:
    """The records below a folder, ``<variant>/records/<run>.json`` and ``<variant>/images/seed-<seed>/<target>.png``.

    Snapshots stand like images. A record names what it belongs to, so that it is not taken for one of another
    experiment or classifier.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, ended: Ended, budget: int, belongs_to: Mapping[str, str], *, film: bool = False) -> list[Record]:
        """Write the record of a run down and return it, target by target; as a ``film``, its snapshots as well."""
        records = [record_of(ended.info.variant, result, budget) for result in ended.results]
        runs = [
            {
                **record.row._asdict(),
                "steps": [record.evaluations.tolist(), record.confidence.tolist()],
                "image": self._written(self._image(record.key), result.image.png()),
                **({"snapshots": self._written(self._film(record.key), snapshots.packed([result]))} if film else {}),
            }
            for result, record in zip(ended.results, records, strict=True)
        ]
        said = {**belongs_to, "runs": runs}
        self._write(self._path(ended.info), _with_checksum(said))  # last: it says that all is there
        return records

    def any(self) -> bool:
        """Tell whether there is a record of any run."""
        return next(self.folder.glob("*/records/*.json"), None) is not None

    def left_out(self, runs: Iterable[RunInfo]) -> tuple[str, ...]:
        """Return the runs that are on record and not among these, as ``roulette/seed1-target3``."""
        others = set(self.folder.glob("*/records/*.json")) - {self._path(run) for run in runs}
        return tuple(sorted(f"{path.parent.parent.name}/{path.stem}" for path in others))

    def kept(self, info: RunInfo) -> bool:
        """Tell whether there is a record of a run."""
        return self._path(info).is_file()

    def read(self, info: RunInfo, belongs_to: Mapping[str, str]) -> list[Record] | None:
        """Return the record of a run, None where it has not ended yet."""
        path = self._path(info)
        if not self.kept(info):
            return None
        try:
            raw = inputs.read(path)
            kept = inputs.parsed(raw)
            del kept["sha256"]
            if _with_checksum(kept) != raw:
                raise ValueError("its checksum is another")
            found = {name: kept[name] for name in belongs_to}
            records = [self._restored(dict(run), info) for run in kept["runs"]]
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            message = f"{path}: is damaged ({type(error).__name__}: {error}); remove it, and the run is made again"
            raise InputError(message) from None
        for name, value in belongs_to.items():
            if found[name] != value and not trust.given().force:
                raise InputError(
                    f"{path}: was made with another {name}; resume with what the study was started with, or give the "
                    "variant another name"
                )
        return records

    def _restored(self, run: dict[str, Any], info: RunInfo) -> Record:
        (evaluations, confidence), checksum, film = run.pop("steps"), run.pop("image"), run.pop("snapshots", None)
        row = RunRow(**run)
        if row.variant != info.variant or row.seed != info.seed or row.target not in info.targets:
            raise ValueError("it is of another run")
        key = row.variant, row.target, row.seed
        image = _belonging(self._image(key), checksum)
        if film is not None:
            _belonging(self._film(key), film)
        return Record(
            row, np.array(evaluations, np.int64), np.array(confidence, float), FoolingImage.from_png(image).pixels
        )

    def _path(self, info: RunInfo) -> Path:
        return self.folder / info.variant / "records" / f"{info._replace(variant='').label}.json"

    def _image(self, key: Key) -> Path:
        variant, target, seed = key
        return self.folder / variant / "images" / f"seed-{seed}" / f"{target}.png"

    def _film(self, key: Key) -> Path:
        variant, target, seed = key
        return self.folder / variant / "snapshots" / f"seed-{seed}" / f"{target}.npz"

    def _written(self, path: Path, content: bytes) -> str:
        """Write a file, and return its checksum."""
        self._write(path, content)
        return digest(content)

    def _write(self, path: Path, content: bytes) -> None:
        files.make_folders(self.folder.parent, path.parent)
        files.write_whole(path, content)


def _belonging(path: Path, checksum: str) -> bytes:
    """Return what a file holds; a ValueError where it is not the one that belongs to a record."""
    if not path.is_file() or digest(content := inputs.read(path)) != checksum:
        raise ValueError(f"{path} is not the one that belongs to it")
    return content


def _with_checksum(said: dict[str, Any]) -> bytes:
    return json.dumps({**said, "sha256": digest(json.dumps(said).encode())}).encode()


def record_of(variant: str, result: RunResult, budget: int) -> Record:
    """Return the record of a result; ``budget`` is that of its whole run."""
    evaluations = np.array([row.evaluations for row in result.log])
    best = np.maximum.accumulate([row.confidence for row in result.log])
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
        area=_area(evaluations, best, budget),
        diversity=float(np.mean([row.diversity for row in result.log])),
    )
    rises = np.flatnonzero(np.diff(best, prepend=-1.0))
    return Record(row, evaluations[rises], best[rises], result.image.pixels)


def _area(evaluations: NDArray[np.int64], best: Floats, budget: int) -> float:
    """Return the mean of a step function from 0 to the budget; before the first generation's end it is 0."""
    spans = np.diff(np.append(evaluations, max(budget, int(evaluations[-1]))))
    return float(best @ spans) / max(budget, int(evaluations[-1]))


def rows(records: Iterable[Record]) -> tuple[RunRow, ...]:
    """Return the rows of records, sorted by variant, target and seed."""
    return tuple(record.row for record in sorted(records, key=lambda record: record.key))
