"""What the commands ``report``, ``verify`` and ``export`` do with the folder of a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification, exported
from fooldeap.result_tools.verify import verify_run
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.inputs import read_json

if TYPE_CHECKING:
    from fooldeap.report.model import Report


class RunKind(FolderKind):
    """The folder of a run."""

    folder = RunFolder

    def report(self, path: Path) -> "Report":
        """Return the report."""
        from fooldeap.report.run import run_report  # an application, which may be absent

        return run_report(path, RunFolder(path).read_result())

    def outcome(self, path: Path) -> str:
        """Return how many runs reached the goal, and the number of evaluations."""
        result = read_json(path / RunFolder.LAST)
        reached = sum(run["evaluations_to_goal"] is not None for run in result["runs"])
        return f"{reached} of {len(result['runs'])} reached the goal; {result['evaluations']:,} evaluations"

    def verify(self, folder: RunFolder, settings: Settings) -> Verification:
        """Repeat the run."""
        return verify_run(folder, settings)

    def images(self, source: Source) -> Iterator[ExportedImage]:
        """Yield the image of each run."""
        for run in source.read_json(RunFolder.LAST)["runs"]:
            yield exported(run, "", source.image(run["image"]))
