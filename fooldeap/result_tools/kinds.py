"""Kinds of finished folders, and what the commands ``report``, ``verify`` and ``export`` do with them.

A package adds a kind with an entry point of the group ``fooldeap.folders``, see `fooldeap.extensions`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fooldeap import extensions
from fooldeap.errors import InputError
from fooldeap.runs.folder import Folder

if TYPE_CHECKING:
    from fooldeap.report.model import Report
    from fooldeap.result_tools.export import ExportedImage, Source
    from fooldeap.result_tools.verify import Settings, Verification


class FolderKind(ABC):
    """A kind of folder.

    Attributes
    ----------
    folder : the class of the folder
    query_logs : a glob pattern of the query logs in the folder
    """

    folder: ClassVar[type[Folder]]
    query_logs: ClassVar[str] = "queries.csv"

    @abstractmethod
    def report(self, path: Path) -> "Report":
        """Return the report of a finished folder."""

    @abstractmethod
    def verify(self, folder: Any, settings: "Settings") -> "Verification":
        """Repeat what a finished folder contains, and compare the results."""

    @abstractmethod
    def images(self, source: "Source") -> Iterable["ExportedImage"]:
        """Yield the evolved images of a finished folder, read from its files."""


def open_finished(path: Path) -> tuple[FolderKind, Folder]:
    """Open a finished folder, and return its kind, which follows from its files.

    Raises
    ------
    InputError
        The folder is of no known kind, is not finished, or its configuration has changed.
    """
    kinds: list[FolderKind] = [each() for _, each in extensions.load("fooldeap.folders")]
    kind = next((kind for kind in kinds if (path / kind.folder.FILE).is_file()), None)
    if kind is None:
        names = ", ".join(each.folder.FILE for each in kinds)
        problem = f"{path}: has none of {names}" if path.is_dir() else f"no folder {str(path)!r}"
        commands = ", ".join(each.folder.MADE_BY for each in kinds)
        raise InputError(f"{problem}; name a folder that one of these commands has written: {commands}")
    return kind, kind.folder.open_finished(path)
