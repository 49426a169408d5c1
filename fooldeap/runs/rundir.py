"""The folder of an experiment."""

import json
from pathlib import Path

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine import fronts, snapshots
from fooldeap.results import Result, RunInfo
from fooldeap.runs.folder import Folder
from fooldeap.storage.files import parsed, read, remove
from fooldeap.storage.sums import SUMS, listing


class RunFolder(Folder):
    """The folder of an experiment."""

    FILE = "config.yaml"
    LAST = "result.json"
    MADE_BY = "fooldeap run"

    @classmethod
    def create(cls, experiment: Experiment, out: Path | None = None) -> "RunFolder":
        """Make a new folder, see `Folder.new`."""
        return cls.new(experiment.name, experiment.data(), out, [experiment])

    @property
    def settled(self) -> bool:
        """Whether it is finished and no run failed, so that there is nothing to resume."""
        if not self.finished:
            return False
        try:
            return not parsed(read(self.path / self.LAST)).get("failures")
        except (ValueError, AttributeError):
            return True  # whoever reads it will say that it is damaged

    def journal(self, info: RunInfo) -> Path:
        """Return where the journal of a run is."""
        return self.journals / info.journal

    def write_images(self, result: Result) -> None:
        """Write ``snapshots.npz``, how the best images came about, and ``fronts.npz`` where there are fronts."""
        if any(run.snapshots for run in result):
            self.write(snapshots.FILE, snapshots.packed(result.runs))
        if result.objectives:
            self.write(fronts.FILE, fronts.packed(result.runs))

    def write_result(self, result: Result) -> None:
        """Write ``table.md`` and then ``result.json``, which marks the experiment as finished."""
        self.write("table.md", result.markdown())
        if not result.failures:
            remove(self.path / "error.log")  # of a session before this one
        forced = {"forced": self.environment.forced} if self.environment.forced else {}
        content = (json.dumps({**result.data(), **forced}, indent=2, ensure_ascii=False) + "\n").encode()
        self.write(SUMS, listing(self.path, {self.LAST: content}))
        self.write(self.LAST, content)
