"""A finished audit, read from its folder, for notebooks and scripts."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fooldeap.audit.session import AuditFolder
from fooldeap.errors import InputError, blaming_damage
from fooldeap.report import notebook, terminal
from fooldeap.report.model import Report
from fooldeap.results import as_frame
from fooldeap.runs.folder import problems_in
from fooldeap.storage.inputs import read, read_json, rows_of


@dataclass(frozen=True)
class Audit:
    """A finished audit: ``Audit("runs/mnist_cnn/001")`` reads the folder, its report and ``audit.json``.

    Raises
    ------
    InputError
        It is not the folder of a finished audit, or one of its files was changed.
    """

    folder: Path
    report: Report = field(init=False, repr=False)
    data: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        folder = AuditFolder.open_finished(Path(self.folder))
        for problem in problems_in(folder.path):
            raise InputError(f"{folder.path}: {problem}; restore it from a copy")
        with blaming_damage(folder.path):
            for name, value in (
                ("folder", folder.path),
                ("report", Report.read(folder.path)),
                ("data", read_json(folder.path / folder.LAST)),
            ):
                object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return terminal.render(self.report)

    def _repr_html_(self) -> str:
        return notebook.report_html(self.report, self.folder)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each attack and class, as in ``classes.csv``."""
        rows = rows_of(read(self.folder / "classes.csv"))
        return as_frame({name: _value(cell) for name, cell in row.items()} for row in rows)


def _value(cell: str) -> Any:
    """Return the value of a cell of a CSV file: a number, a text, or None if it is empty."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(cell)
    return cell or None
