"""Folders of runs and of studies: what is left on disk. Files appear whole or not at all.

What resuming reads is checked before it is: the configuration has its checksum in ``environment.json``, journals and
records have their own. A finished folder has those of all its files in ``SHA256SUMS``.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Self

from ruamel.yaml import YAML

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine import fronts, snapshots
from fooldeap.engine.evaluation import MOST_ROWS, ROWS
from fooldeap.engine.ledger import Ledger
from fooldeap.errors import FileError, InputError
from fooldeap.results import Result, RunInfo
from fooldeap.runs.environment import Environment
from fooldeap.storage.files import make_folders, parsed, read, remove, write_whole
from fooldeap.storage.lock import LOCK, locked
from fooldeap.storage.sums import SUMS, listing, problems, strangers


class Folder:
    """A folder that belongs to one piece of work, which a YAML file in it describes.

    It is finished when it has its ``LAST`` file, and the checksums of all its files.
    """

    FILE: ClassVar[str]
    LAST: ClassVar[str]
    MADE_BY: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = Environment(path)

    @classmethod
    def new(
        cls, name: str, data: dict[str, Any], out: Path | None = None, experiments: Iterable[Experiment] = ()
    ) -> Self:
        """Make a new folder: ``out``, which must not hold anything yet, or the next ``runs/<name>/<number>``."""
        try:
            folder = cls(_new_folder(out) if out is not None else _next_folder(Path("runs") / name))
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be made ({error.strerror}); choose another --out") from None
        try:
            with locked(folder.path):
                if _holds_more(folder.path):
                    raise _taken(folder.path)  # by somebody who began there at the same moment
                folder.environment.begin(cls.FILE, as_yaml(data), experiments)
        except FileError as error:
            raise InputError(f"{error}, or choose another --out") from None
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing folder to resume it."""
        if not (path / cls.FILE).is_file():
            raise InputError(f"{path}: has no {cls.FILE}; name a folder that {cls.MADE_BY!r} made")
        for stranger in strangers(path):
            what = "a symbolic link, and none is followed here" if stranger.is_symlink() else "no file"
            raise InputError(f"{stranger}: is {what}; remove it")
        folder = cls(path)
        folder.environment.check_files({cls.FILE: f"start anew with it: {cls.MADE_BY} {path / cls.FILE}"})
        return folder

    @classmethod
    def open_finished(cls, path: Path) -> Self:
        """Open an existing folder to read what came of the work."""
        folder = cls.open(path)
        if not folder.finished:
            raise InputError(f"{path}: is not finished; go on first: {cls.MADE_BY} --resume {path}")
        return folder

    @property
    def finished(self) -> bool:
        """Whether the work came to its end."""
        return (self.path / self.LAST).is_file() and (self.path / SUMS).is_file()

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
        """How many images at a time were found to go fastest through the classifier, None where nobody noted it."""
        try:
            rows = parsed((self.path / "calibration.json").read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return rows if rows in range(ROWS, MOST_ROWS + 1, ROWS) else None

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below the folder: whole, or not at all."""
        if name.startswith("/") or ".." in Path(name).parts:
            raise InputError(f"{name}: got a file elsewhere, expected one below {self.path}")
        path = self.path / name
        make_folders(self.path, path.parent)
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path

    def seal(self) -> None:
        """Write the checksums of all files, after the last of them."""
        remove(self.path / "error.log")  # of a session before this one
        self.write(SUMS, listing(self.path, {}))

    def unseal(self) -> None:
        """Remove the checksums, before the first file changes."""
        remove(self.path / SUMS)

    def add_session(self, ledger: Ledger) -> None:
        """Add a session to ``ledger.csv``."""
        path = self.path / "ledger.csv"
        before = read(path).decode(errors="replace").rstrip("\n") if path.is_file() else Ledger.head()
        self.environment.write_noted("ledger.csv", f"{before}\n{ledger.row()}\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out for a while, and clear away what one left behind that was killed.

        A `FileError` that ends the work is told with how to go on.
        """
        try:
            with locked(self.path):
                # Of the token see `fooldeap.runs.work.Pursuit`.
                for left in [*self.path.rglob(".*.part"), self.path / "journal/.token"]:
                    remove(left)
                yield
        except FileError as error:
            raise FileError(f"{error}, then go on with: {self.MADE_BY} --resume {self.path}") from error


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


def problems_in(path: Path) -> list[str]:
    """Return what is wrong with the files of a finished folder, a line each, each with the name of a file.

    Files that changed, are missing, or came from elsewhere; nothing where all are as they were written.
    """
    sums = path / SUMS
    if sums.is_symlink() or not sums.is_file():
        return [f"{SUMS}: is not there; the folder is not finished, or that file was removed"]
    return problems(path)


def _new_folder(path: Path) -> Path:
    if path.exists() and (not path.is_dir() or _holds_more(path)):
        raise _taken(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _holds_more(path: Path) -> bool:
    """Tell whether there is more in a folder than the lock of somebody who is about to begin there."""
    return any(each.name != LOCK for each in path.iterdir())


def _taken(path: Path) -> InputError:
    return InputError(f"--out {path}: is there already; name a new folder, or resume it with --resume {path}")


def _next_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in parent.iterdir() if path.name.isdecimal()), default=0)
    while True:
        number += 1
        path = parent / f"{number:03d}"
        try:
            path.mkdir()
        except FileExistsError:
            continue  # somebody else took this number in between
        return path


def as_yaml(data: Any) -> str:
    """Return plain data as YAML, its keys in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump(data, text)
    return text.getvalue()
