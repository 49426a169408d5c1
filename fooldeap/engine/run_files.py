"""The files of a run in a large experiment: its log and the images of its snapshots, beside its journal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fooldeap.engine.stored_logs import LogFile, StoredLog
from fooldeap.engine.stored_snapshots import PictureFile, StoredSnapshots
from fooldeap.results import RunInfo, RunResult

SUFFIXES = (".log", ".pictures")


class RunFiles:
    """The files of one run, from its start. They can be read after they are closed.

    Parameters
    ----------
    folder : the folder of journals; earlier files of the run are replaced
    info : the run
    statistics : the names of the columns of plugins in the log
    """

    def __init__(self, folder: Path, info: RunInfo, statistics: Sequence[str] = ()) -> None:
        log, pictures = (folder / name for name in names(info))
        self.log, self.pictures = LogFile(log, info, statistics), PictureFile(pictures)

    def close(self) -> None:
        """Close the files."""
        self.log.close()
        self.pictures.close()


def names(info: RunInfo) -> list[str]:
    """Return the names of the files of a run, relative to the folder of journals."""
    return [f"{info.label}{suffix}" for suffix in SUFFIXES]


def moved(result: RunResult, folder: Path, info: RunInfo) -> RunResult:
    """Return a result of a run with copies of its files in another folder."""
    taken, log = result.snapshots, result.log
    if not isinstance(taken, StoredSnapshots) or not isinstance(log, StoredLog):
        return result
    log_path, pictures = (folder / name for name in names(info))
    taken = taken.moved(pictures)
    return replace(result, log=log.moved(log_path), snapshots=taken, image=taken.last_image)


def logs_of(runs: Sequence[RunResult]) -> list[LogFile]:
    """Return the logs of the runs of an experiment, each once."""
    found = {id(run.log.source): run.log.source for run in runs if isinstance(run.log, StoredLog)}
    return [log for log in found.values() if isinstance(log, LogFile)]
