"""The folder of an experiment: writes the result and reads it back."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fooldeap.configuration.experiment import Experiment
from fooldeap.configuration.reading import read as read_yaml
from fooldeap.configuration.writing import as_yaml
from fooldeap.engine import fronts, run_files, snapshots, stored_logs, stored_snapshots
from fooldeap.engine.stored_logs import LogTable, StoredLog
from fooldeap.engine.stored_snapshots import StoredSnapshots
from fooldeap.errors import InputError, blaming_damage
from fooldeap.formatting import as_csv
from fooldeap.plugin import Predictions
from fooldeap.results import FoolingImage, KeptImage, LogRow, Result, RunInfo, RunResult, Snapshot
from fooldeap.runs.folder import Folder, inside, problems_in
from fooldeap.storage.files import remove
from fooldeap.storage.inputs import read, read_json, rows_of
from fooldeap.storage.sums import PAGE, SUMS, listing, lists_journals

_EXTENDED = ("stop", "seeds", "targets")  # the keys that an extension may change
LOG = "log.csv"
MOST_JOURNALS = 1 << 26  # bytes
_FRONT = ("seed", "target", "evaluations", "predicted", "confidence")


def load(folder: str | Path) -> Result:
    """Return the result of a finished run, equal to the one that `fooldeap.run` returned.

    Raises
    ------
    InputError
        The folder is not the folder of a run, is not finished, or one of its files was changed.
    """
    opened = RunFolder.open_finished(Path(folder))
    for problem in problems_in(opened.path):
        raise InputError(f"{opened.path}: {problem}; restore it from a copy")
    return opened.read_result()


class RunFolder(Folder):
    """The folder of an experiment."""

    FILE = "config.yaml"
    LAST = "result.json"
    MADE_BY = "fooldeap run"

    @classmethod
    def create(cls, experiment: Experiment, out: Path | None = None) -> "RunFolder":
        """Create a new folder, see `Folder.new`."""
        return cls.new(experiment.name, experiment.data(), out, [experiment])

    @property
    def settled(self) -> bool:
        """Whether the experiment is finished and no run failed, so there is nothing to resume."""
        if not self.finished:
            return False
        try:
            return not read_json(self.path / self.LAST).get("failures")
        except (ValueError, AttributeError):
            return True  # the code that reads the file reports the damage

    def journal(self, info: RunInfo) -> Path:
        """Return the path of a run's journal."""
        return self.journals / info.journal

    def extend(self, before: Experiment, now: Experiment) -> None:
        """Replace the configuration by one that extends it, see `fooldeap.resume`.

        All results are removed first: the folder is unfinished, and its journals are complete. The configuration is
        replaced atomically.
        """
        self.unseal()
        images = (path for pattern in ("*.png", "seed-*/*.png") for path in (self.path / "images").glob(pattern))
        for path in (self.path / self.LAST, self.path / PAGE, *images):
            remove(path)
        self.environment.note_earlier(before.digest)
        extended = {key: value for key, value in now.data().items() if key in _EXTENDED}
        self.environment.write_noted(self.FILE, as_yaml({**read_yaml(self.config).data, **extended}))

    def store(self, result: Result) -> Result:
        """Write log and snapshots of a large experiment from the files of its runs. The result then reads from them."""
        logs = run_files.logs_of(result.runs)
        if not logs:
            return result
        remove(self.path / LOG)  # from before the experiment was extended
        stored_logs.write(self.path / stored_logs.FILE, logs)
        stored_snapshots.write(self.path / snapshots.FILE, result.runs)
        taken = snapshots.read_file(self.path / snapshots.FILE, len(result))
        table = LogTable(self.path / stored_logs.FILE, result.statistics)
        runs = [
            replace(run, snapshots=each, image=self._image({}, each), log=StoredLog(table, run.seed, run.target))
            for run, each in zip(result, taken, strict=True)
        ]
        return replace(result, runs=tuple(runs))

    def write_result(self, result: Result, *, keep_journals: bool = True) -> None:
        """Write the log, the images and the tables, and at last ``result.json``: the experiment is then finished.

        Log and snapshots of a large experiment are written by `store`. Unless ``keep_journals``, large journals are
        removed, because the experiment needs them no more.
        """
        for run in result:
            self.write(result.image_name(run), run.image.png())
            for rank, each in enumerate(run.kept[1:], 2):
                self.write(result.image_name(run, rank), each.image.png())
        if not (self.path / stored_logs.FILE).exists():
            self.write(
                LOG,
                as_csv([LogRow.names(result.statistics), *sorted(row.cells() for run in result for row in run.log)]),
            )
            if any(run.snapshots for run in result):
                self.write(snapshots.FILE, snapshots.packed(result.runs))
        if result.objectives:
            rows = (row for run in result for row in _front(run))
            self.write("front.csv", as_csv([(*_FRONT, *result.objectives), *rows]))
            self.write(fronts.FILE, fronts.packed(result.runs))
        self.write("table.md", result.markdown())
        for path in (each for suffix in run_files.SUFFIXES for each in self.journals.glob(f"*{suffix}")):
            remove(path)
        if not result.failures:
            remove(self.path / "error.log")  # from an earlier session
        forced = {"forced": self.environment.forced} if self.environment.forced else {}
        content = (json.dumps({**result.data(), **forced}, indent=2, ensure_ascii=False) + "\n").encode()
        journals = [*self.journals.glob("*.journal")]
        removes = not keep_journals and sum(path.stat().st_size for path in journals) > MOST_JOURNALS
        self.write(SUMS, listing(self.path, {self.LAST: content}, without_journals=removes))
        self.write(self.LAST, content)
        self.remove_unlisted_journals()

    def remove_unlisted_journals(self) -> None:
        """Remove the journals of a finished experiment that does not keep them."""
        if not lists_journals(self.path):
            for path in self.journals.glob("*.journal"):
                remove(path)

    def read_result(self) -> Result:
        """Return the result of the finished experiment. No plugin or classifier is loaded.

        The log, the snapshots and the fronts may be missing.

        Raises
        ------
        InputError
            A file is damaged.
        """
        with blaming_damage(self.path):
            data = read_json(self.path / self.LAST)
            statistics = tuple(data.get("statistics", ()))
            return Result(
                name=data["name"],
                seed=data["seed"],
                goal=data["goal"],
                evaluations=data["evaluations"],
                seconds=data["seconds"],
                runs=tuple(self._read_runs(data["runs"], statistics)),
                folder=self.path,
                failures=data.get("failures", {}),
                names=tuple(data.get("names", ())),
                objectives=tuple(data.get("objectives", ())),
                statistics=statistics,
            )

    def _read_runs(self, rows: Sequence[Mapping[str, Any]], statistics: Sequence[str]) -> Iterator[RunResult]:
        path = self.path / snapshots.FILE
        all_snapshots = snapshots.read_file(path, len(rows)) if path.is_file() else [()] * len(rows)
        path = self.path / fronts.FILE
        all_fronts = fronts.unpacked(read(path), len(rows)) if path.is_file() else [[]] * len(rows)
        logs = self._read_logs(rows, statistics)
        for row, taken, front, log in zip(rows, all_snapshots, all_fronts, logs, strict=True):
            yield RunResult(
                **{name: value for name, value in row.items() if name not in ("image", "kept")},
                image=self._image(row, taken),
                log=log,
                snapshots=tuple(taken) if isinstance(taken, list) else taken,
                front=tuple(front),
                kept=tuple(self._kept(**each) for each in row.get("kept", ())),
            )

    def _kept(self, image: str, **scalars: Any) -> KeptImage:
        return KeptImage(FoolingImage.from_file(inside(self.path, image)), **scalars)

    def _image(self, row: Mapping[str, Any], taken: Sequence[Snapshot]) -> FoolingImage:
        if isinstance(taken, StoredSnapshots):
            return taken.last_image
        return FoolingImage(taken[-1].image) if taken else FoolingImage.from_file(inside(self.path, row["image"]))

    def _read_logs(self, runs: Sequence[Mapping[str, Any]], statistics: Sequence[str]) -> list[Sequence[LogRow]]:
        """Return the log of each run, from ``log.npz`` or ``log.csv``."""
        keys = [(run["seed"], run["target"]) for run in runs]
        if (self.path / stored_logs.FILE).is_file():
            table = LogTable(self.path / stored_logs.FILE, statistics)
            return [StoredLog(table, seed, target) for seed, target in keys]
        path, rows = self.path / LOG, defaultdict[tuple[int, int], list[LogRow]](list)
        for row in LogRow.from_csv(rows_of(read(path)) if path.is_file() else (), statistics):
            rows[row.seed, row.target].append(row)
        return [tuple(rows[key]) for key in keys]


def _front(run: RunResult) -> Iterator[tuple[object, ...]]:
    """Yield the images on the front of a run as rows of ``front.csv``."""
    for each in run.front:
        (seen,) = Predictions(each.logits[None], each.image[None], each.confidence_kind).probabilities
        yield run.seed, run.target, each.evaluations, int(np.argmax(seen)), float(seen[run.target]), *each.objectives
