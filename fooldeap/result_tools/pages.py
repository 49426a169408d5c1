"""Write the page of a finished folder again, as ``fooldeap report`` does."""

from pathlib import Path

from fooldeap.errors import InputError, blaming_damage
from fooldeap.result_tools.kinds import FolderKind, open_finished
from fooldeap.runs.folder import problems_in
from fooldeap.storage.files import remove_all_leftovers, write_whole
from fooldeap.storage.lock import locked
from fooldeap.storage.sums import PAGE


def make(path: str | Path) -> Path:
    """Write ``report.html`` of a finished run, study, retraining, audit or tuning, and return its path.

    Runs neither plugins nor the classifier. The checksums of the folder's files are checked first.

    Raises
    ------
    InputError
        The folder is of another kind, is not finished, or is damaged. Nothing was written.
    """
    path = Path(path)
    kind, _ = open_finished(path)
    with locked(path):
        _check(path)
        remove_all_leftovers(path)
        write_whole(path / PAGE, _render(kind, path).encode())
    return path / PAGE


def _check(path: Path) -> None:
    """Raise `InputError` if files of the folder have changed since they were written."""
    problems = problems_in(path)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InputError(f"{path}: {problems[0]}{more}; restore it from a copy")


def _render(kind: FolderKind, path: Path) -> str:
    from fooldeap.report import html  # an application, which may be absent

    with blaming_damage(path):
        return html.render(kind.report(path), path)
