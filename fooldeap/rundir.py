"""Folders of runs and of studies: what is left on disk. Files appear whole or not at all."""

import contextlib
import fcntl
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Self

from ruamel.yaml import YAML

from fooldeap.config import Experiment
from fooldeap.errors import InputError
from fooldeap.evaluation import MOST_ROWS, ROWS
from fooldeap.files import write_whole
from fooldeap.ledger import Ledger
from fooldeap.results import Result, RunInfo

_PACKAGES = ("fooldeap", "deap", "numpy", "tensorflow", "keras")


class Folder:
    """A folder that belongs to one piece of work, which a YAML file in it describes."""

    FILE: ClassVar[str]
    MADE_BY: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, name: str, data: dict[str, Any], out: Path | None = None) -> Self:
        """Make a new folder: ``out``, which must not hold anything yet, or the next ``runs/<name>/<number>``."""
        try:
            folder = cls(_new_folder(out) if out is not None else _next_folder(Path("runs") / name))
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be made ({error.strerror}); choose another --out") from None
        folder.write(cls.FILE, as_yaml(data))
        folder.write("environment.json", json.dumps(environment(), indent=2) + "\n")
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing folder to resume it."""
        if not (path / cls.FILE).is_file():
            raise InputError(f"{path}: has no {cls.FILE}; name a folder that {cls.MADE_BY!r} made")
        return cls(path)

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / self.FILE

    @property
    def journals(self) -> Path:
        """The folder of journals."""
        path = self.path / "journal"
        path.mkdir(exist_ok=True)
        return path

    @property
    def rows(self) -> int | None:
        """How many images at a time were found to go fastest through the classifier, None where nobody noted it."""
        try:
            rows = json.loads((self.path / "calibration.json").read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return rows if rows in range(ROWS, MOST_ROWS + 1, ROWS) else None

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below the folder: whole, or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path

    def add_session(self, ledger: Ledger) -> None:
        """Add a session to ``ledger.csv``."""
        path = self.path / "ledger.csv"
        before = path.read_text(encoding="utf-8").rstrip("\n") if path.is_file() else Ledger.head()
        self.write("ledger.csv", f"{before}\n{ledger.row()}\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out for a while."""
        with self.config.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"{self.path}: another process works on it; wait until that ends, or end it") from None
            yield


class RunFolder(Folder):
    """The folder of an experiment."""

    FILE = "config.yaml"
    MADE_BY = "fooldeap run"

    @classmethod
    def create(cls, experiment: Experiment, out: Path | None = None) -> "RunFolder":
        """Make a new folder, see `Folder.new`."""
        return cls.new(experiment.name, experiment.data(), out)

    @property
    def finished(self) -> bool:
        """Whether the experiment came to its end."""
        return (self.path / "result.json").is_file()

    def journal(self, info: RunInfo) -> Path:
        """Return where the journal of a run is."""
        return self.journals / info.journal

    def write_result(self, result: Result) -> None:
        """Write ``table.md`` and then ``result.json``, which marks the experiment as finished."""
        self.write("table.md", result.markdown())
        if not result.failures:
            (self.path / "error.log").unlink(missing_ok=True)  # of a session before this one
        self.write("result.json", json.dumps(result.data(), indent=2, ensure_ascii=False) + "\n")


def environment() -> dict[str, Any]:
    """Return the versions and the machine, as far as results may depend on them."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "command": sys.argv,
    }


def _new_folder(path: Path) -> Path:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"--out {path}: is there already; name a new folder, or resume it with --resume {path}")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _next_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in parent.iterdir() if path.name.isdigit()), default=0)
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
