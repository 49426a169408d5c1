"""The folder of an experiment."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine import fronts, snapshots
from fooldeap.plugin import Predictions
from fooldeap.results import LogRow, Result, RunInfo, RunResult
from fooldeap.runs.folder import Folder
from fooldeap.storage.files import remove
from fooldeap.storage.inputs import read_json
from fooldeap.storage.sums import SUMS, listing

_FRONT = ("seed", "target", "evaluations", "predicted", "confidence")


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

    def write_runs(self, result: Result) -> None:
        """Write the log, the best images, their snapshots, and the Pareto fronts."""
        self.write("log.csv", _table(LogRow._fields, sorted(row for run in result for row in run.log)))
        for run in result:
            self.write(result.image_name(run), run.image.png())
        if any(run.snapshots for run in result):
            self.write(snapshots.FILE, snapshots.packed(result.runs))
        if result.objectives:
            rows = (row for run in result for row in _front(run))
            self.write("front.csv", _table((*_FRONT, *result.objectives), rows))
            self.write(fronts.FILE, fronts.packed(result.runs))

    def write_result(self, result: Result) -> None:
        """Write ``table.md`` and then ``result.json``, which marks the experiment as finished."""
        self.write("table.md", result.markdown())
        if not result.failures:
            remove(self.path / "error.log")  # from an earlier session
        forced = {"forced": self.environment.forced} if self.environment.forced else {}
        content = (json.dumps({**result.data(), **forced}, indent=2, ensure_ascii=False) + "\n").encode()
        self.write(SUMS, listing(self.path, {self.LAST: content}))
        self.write(self.LAST, content)


def _front(run: RunResult) -> Iterator[tuple[object, ...]]:
    """Yield the images on the front of a run as rows of ``front.csv``."""
    for each in run.front:
        (seen,) = Predictions(each.logits[None], each.image[None], each.confidence_kind).probabilities
        yield run.seed, run.target, each.evaluations, int(np.argmax(seen)), float(seen[run.target]), *each.objectives


def _table(head: Sequence[str], rows: Iterable[tuple[object, ...]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([tuple(head), *rows])
    return text.getvalue()
