"""Open a finished folder; its kind follows from its files."""

from pathlib import Path

from fooldeap.audit.session import AuditFolder
from fooldeap.errors import InputError
from fooldeap.retrain.chain import RetrainFolder
from fooldeap.runs.folder import Folder
from fooldeap.runs.run_folder import RunFolder
from fooldeap.study.plan import StudyFolder

KINDS: tuple[type[Folder], ...] = (RunFolder, StudyFolder, RetrainFolder, AuditFolder)


def open_finished(path: Path) -> Folder:
    """Open the finished folder of a run, study, retraining or audit.

    Raises
    ------
    InputError
        The folder is of another kind, is not finished, or its configuration has changed.
    """
    kind = next((kind for kind in KINDS if (path / kind.FILE).is_file()), None)
    if kind is None:
        names = ", ".join(each.FILE for each in KINDS)
        problem = f"{path}: has none of {names}" if path.is_dir() else f"no folder {str(path)!r}"
        raise InputError(f"{problem}; name a folder that fooldeap run, compare, retrain or audit has written")
    return kind.open_finished(path)
