"""A folder for one piece of work: a run, a study, an audit, a retraining or a tuning.

A folder is created atomically, with its configuration and environment. Every file in it is written atomically. Files
that resuming reads are checked first: ``environment.json`` has the checksum of the configuration; journals, records and
the query log have their own checksums. A finished folder has the checksums of its files in ``SHA256SUMS``.
"""

import contextlib
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

from fooldeap.configuration.experiment import Experiment
from fooldeap.configuration.writing import as_yaml
from fooldeap.engine.evaluation import MOST_ROWS, ROWS, Evaluator
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import FileError, InputError
from fooldeap.runs.environment import Environment
from fooldeap.storage import files
from fooldeap.storage.files import make_folders, write_whole
from fooldeap.storage.inputs import read_json
from fooldeap.storage.lock import locked
from fooldeap.storage.sums import SUMS, listing, problems, strangers

QUERIES = "queries.csv"
_TOKEN = "journal/.token"  # see `fooldeap.runs.worker_task.RunGroup`


class State(Enum):
    """The state of a path that may be a folder of one kind. Every command decides by it."""

    ABSENT = "no folder, or an empty one"
    OTHER = "not a folder of this kind"
    UNFINISHED = "it has its configuration, and can be resumed"
    FINISHED = "it has its last file and the checksums of all files"


class Folder:
    """A folder for one piece of work, described by a YAML file in it.

    Attributes
    ----------
    FILE : the name of the YAML file
    LAST : the name of the file that is written last, before ``SHA256SUMS``
    MADE_BY : the command that creates such a folder
    """

    FILE: ClassVar[str]
    LAST: ClassVar[str]
    MADE_BY: ClassVar[str]

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path, self.force = path, force
        self.environment = Environment(path, force=force)

    @classmethod
    def new(
        cls, name: str, data: dict[str, Any], out: Path | None = None, experiments: Iterable[Experiment] = ()
    ) -> Self:
        """Create a folder with its configuration: ``out``, or the next ``runs/<name>/<number>``.

        It is created under a temporary name and renamed, so that it always has its configuration.

        Raises
        ------
        InputError
            ``out`` exists and is not empty, or cannot be created. Nothing was written.
        """
        configuration = as_yaml(data)
        places = _numbered(Path("runs") / name) if out is None else iter([out])
        try:
            for place in places:
                if cls._create(place, configuration, experiments):
                    return cls(place)
        except FileError as error:
            raise InputError(f"{error}, or choose another --out") from None
        assert out is not None
        raise cls._taken(out)

    @classmethod
    def _create(cls, path: Path, configuration: str, experiments: Iterable[Experiment]) -> bool:
        """Create a folder. Return False if the path exists already."""
        place = path.resolve()
        if place == Path.cwd():
            raise InputError(f"--out {path}: is the current folder; name a new folder in it")
        files.make_parents(place.parent)
        files.remove_leftovers(place.parent)
        try:
            with files.temporary_name(place) as temporary:
                files.make_folder(temporary)
                Environment(temporary).begin(cls.FILE, configuration, experiments, place)
                files.publish(temporary, place)
        except FileExistsError:
            return False
        return True

    @classmethod
    def _taken(cls, path: Path) -> InputError:
        state, there = cls(path).state, f"--out {path}: already exists"
        if state in (State.UNFINISHED, State.FINISHED):
            return InputError(f"{there}; name a new folder, or resume it: {cls.MADE_BY} --resume {path}")
        return InputError(f"{there}; name a new folder")

    @classmethod
    def open(cls, path: Path, *, force: bool = False) -> Self:
        """Open an existing folder to resume it. With ``force``, changes are accepted and recorded.

        Raises
        ------
        InputError
            It is not a folder of this kind, or its configuration was changed.
        """
        folder = cls(path, force=force)
        if folder.state in (State.ABSENT, State.OTHER):
            raise InputError(f"{path}: has no {cls.FILE}; name a folder of {cls.MADE_BY!r}")
        for stranger in strangers(path):
            link = stranger.is_symlink()
            what = "a symbolic link, and links are not followed" if link else "not a regular file or folder"
            raise InputError(f"{stranger}: is {what}; remove it")
        folder.environment.check_files({cls.FILE: f"start a new folder with it: {cls.MADE_BY} {path / cls.FILE}"})
        return folder

    @classmethod
    def open_existing(cls, path: Path, *, force: bool = False) -> Self | None:
        """Open a folder as `open` does, or return None if there is none yet."""
        return None if cls(path).state is State.ABSENT else cls.open(path, force=force)

    @classmethod
    def open_finished(cls, path: Path) -> Self:
        """Open an existing folder to read its results.

        Raises
        ------
        InputError
            It is not a finished folder of this kind, or its configuration was changed.
        """
        folder = cls.open(path)
        if folder.state is not State.FINISHED:
            raise InputError(f"{path}: is not finished; finish it first: {cls.MADE_BY} --resume {path}")
        return folder

    @property
    def state(self) -> State:
        """The state of the folder."""
        if (self.path / self.FILE).is_file():
            done = (self.path / self.LAST).is_file() and (self.path / SUMS).is_file()
            return State.FINISHED if done else State.UNFINISHED
        empty = not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))
        return State.ABSENT if empty else State.OTHER

    @property
    def finished(self) -> bool:
        """Whether the work is finished."""
        return self.state is State.FINISHED

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / self.FILE

    @property
    def journals(self) -> Path:
        """The folder of journals."""
        path = self.path / "journal"
        make_folders(self.path, path)
        return path

    @property
    def rows(self) -> int | None:
        """The fastest batch size in images, measured in an earlier session. None if it was not recorded."""
        try:
            rows = read_json(self.path / "calibration.json")["rows"]
        except (FileError, InputError, ValueError, KeyError, TypeError):
            return None
        return rows if isinstance(rows, int) and rows in range(ROWS, MOST_ROWS + 1, ROWS) else None

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below the folder atomically."""
        if name.startswith("/") or ".." in Path(name).parts:
            raise InputError(f"{name}: got a path outside, expected a file below {self.path}")
        path = self.path / name
        make_folders(self.path, path.parent)
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path

    def seal(self) -> None:
        """Write the checksums of all files. Call it after the last file is written."""
        files.remove(self.path / "error.log")  # from an earlier session
        self.write(SUMS, listing(self.path, {}))

    def unseal(self) -> None:
        """Remove the checksums. Call it before a file changes."""
        files.remove(self.path / SUMS)

    @contextlib.contextmanager
    def recording(self, evaluator: Evaluator) -> Iterator[QueryLog]:
        """Record the queries of an evaluator in ``queries.csv``."""
        with QueryLog(self.path / QUERIES) as log:
            evaluator.record(log)
            try:
                yield log
            finally:
                evaluator.record(None)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other processes, and remove the temporary files of killed processes.

        If a `FileError` ends the work, its message names the command that resumes it.
        """
        try:
            with locked(self.path):
                files.remove_all_leftovers(self.path)
                files.remove(self.path / _TOKEN)
                yield
        except FileError as error:
            raise FileError(f"{error}, then resume with: {self.MADE_BY} --resume {self.path}") from error


def problems_in(path: Path) -> list[str]:
    """Return the problems in the files of a finished folder, one line for each file.

    A problem is a file that was changed, removed or added. The list is empty if all files are unchanged.
    """
    sums = path / SUMS
    if sums.is_symlink() or not sums.is_file():
        return [f"{SUMS}: is missing; the folder is not finished, or the file was removed"]
    return problems(path)


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a file of the folder names; raise `InputError` if it is outside the folder."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{folder}: names the file {name!r}, which is outside this folder; restore it from a copy")
    return folder / name


def _numbered(parent: Path) -> Iterator[Path]:
    """Yield the next unused numbered folders in a parent. Another process may create one of them in the meantime."""
    numbers = (int(path.name) for path in parent.glob("*") if path.name.isdecimal())
    number = max(numbers, default=0)
    while True:
        number += 1
        yield parent / f"{number:03d}"
