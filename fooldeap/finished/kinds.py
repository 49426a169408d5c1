"""Finished folders of all kinds, told by the files that they have."""

from pathlib import Path

from fooldeap.audit.session import AuditFolder
from fooldeap.errors import InputError
from fooldeap.retrain.chain import RetrainFolder
from fooldeap.runs.folder import Folder
from fooldeap.runs.rundir import RunFolder
from fooldeap.study.plan import StudyFolder

KINDS: tuple[type[Folder], ...] = (RunFolder, StudyFolder, RetrainFolder, AuditFolder)


def opened(path: Path) -> Folder:
    """Open a finished folder of any kind.

    Raises
    ------
    InputError
        It is of no kind, is not finished, or its configuration was changed since.
    """
    kind = next((kind for kind in KINDS if (path / kind.FILE).is_file()), None)
    if kind is None:
        names = ", ".join(each.FILE for each in KINDS)
        what = f"{path}: has none of {names}" if path.is_dir() else f"no folder {str(path)!r}"
        raise InputError(f"{what}; name one that fooldeap run, compare, retrain or audit made")
    return kind.open_finished(path)
