"""Kinds of finished folders, and what the commands ``report``, ``verify`` and ``export`` do with them.

A package adds a kind with an entry point of the group ``fooldeap.folders``, see `fooldeap.extensions`.
"""

import random
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fooldeap import extensions
from fooldeap.configuration import config
from fooldeap.errors import InputError, blaming_damage
from fooldeap.options import Options
from fooldeap.results import FoolingImage
from fooldeap.runs.folder import Folder
from fooldeap.storage.inputs import parsed, read
from fooldeap.storage.sums import problems

if TYPE_CHECKING:
    from fooldeap.report.model import Report

T = TypeVar("T")
OUTCOME = 100  # characters


# --- Verification ---------------------------------------------------------------------------------------------------


class Settings(NamedTuple):
    """The parameters of `fooldeap.verify`."""

    sample: int | None
    workers: int | str | None
    plugins: tuple[Any, ...]
    options: Options

    def executor(self, **more: str) -> dict[str, Any]:
        """Return the key ``executor`` of an experiment that uses these workers; empty if none are requested."""
        return config.executor_for(self.workers, **more)

    def loading(self) -> dict[str, Any]:
        """Return the arguments of the functions that load a configuration."""
        return {"plugins": self.plugins, "options": self.options}

    def choose(self, every: Sequence[T]) -> list[T]:
        """Return the sample, which is always the same, or everything if no sample is requested."""
        return list(every) if self.sample is None else random.Random(0).sample(every, min(self.sample, len(every)))


@dataclass(frozen=True)
class Verification:
    """The result of `fooldeap.verify`.

    Attributes
    ----------
    checked : the folder, and which part of it was checked
    problems : what differs, one line each; empty if everything was reproduced
    notes : what was not checked, and how this machine differs from the one that wrote the folder
    """

    checked: str
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def reproduced(self) -> bool:
        """Whether everything that was checked is bit-identical."""
        return not self.problems

    def __str__(self) -> str:
        outcome = "reproduced, bit-identical" if self.reproduced else "NOT reproduced"
        return "\n".join([f"{self.checked}: {outcome}", *self.problems, *(f"(note: {note})" for note in self.notes)])


# --- Export ---------------------------------------------------------------------------------------------------------


class ExportedImage(NamedTuple):
    """One evolved image, uint8 (h, w, c), and its results.

    ``variant`` is the variant of a study or the attack of an audit; it is empty for a run. ``evaluations`` is the
    number of evaluations of the whole run.
    """

    image: NDArray[np.uint8]
    target: int
    seed: int
    variant: str
    predicted: int
    confidence: float
    score: float
    evaluations: int
    evaluations_to_goal: int | None


class Source:
    """The files of a finished folder. A file that does not match its checksum is refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._problems = {problem.partition(":")[0]: problem for problem in problems(folder)}

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        if name in self._problems:
            raise InputError(f"{self.folder / self._problems[name]}; restore it from a copy")
        return read(self._path(name))

    def read_json(self, name: str) -> Any:
        """Return the data of a JSON file."""
        return parsed(self.read(name))

    def names(self, pattern: str) -> list[str]:
        """Return the sorted relative paths of the files that match a glob pattern."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob(pattern))

    def image(self, name: str) -> NDArray[np.uint8]:
        """Return an image, uint8 (h, w, c)."""
        if not self._path(name).is_file():
            raise InputError(f"{self.folder / name}: is missing; restore it from a copy")
        return FoolingImage.from_png(self.read(name)).pixels

    def _path(self, name: str) -> Path:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(f"{name}: is outside the folder; expected a file below {self.folder}")
        return self.folder / name


def exported(run: dict[str, Any], variant: str, image: NDArray[np.uint8]) -> ExportedImage:
    """Return an image with its results, from the entry of its run in a result or record."""
    to_goal = run["evaluations_to_goal"]
    return ExportedImage(
        image=image,
        target=int(run["target"]),
        seed=int(run["seed"]),
        variant=variant,
        predicted=int(run["predicted"]),
        confidence=float(run["confidence"]),
        score=float(run["score"]),
        evaluations=int(run["evaluations"]),
        evaluations_to_goal=None if to_goal is None else int(to_goal),
    )


# --- Kinds ----------------------------------------------------------------------------------------------------------


class FolderKind(ABC):
    """A kind of folder.

    Attributes
    ----------
    folder : the class of the folder
    query_logs : a glob pattern of the query logs in the folder
    """

    folder: ClassVar[type[Folder]]
    query_logs: ClassVar[str] = "queries.csv"

    def report(self, path: Path) -> "Report":
        """Return the report of a finished folder."""
        from fooldeap.report.common import complete  # an application, which may be absent
        from fooldeap.report.model import Report

        return complete(Report.read(path), path, self.folder.FILE)

    def outcome(self, path: Path) -> str:
        """Return the main result of a finished folder in a few words, for ``fooldeap runs``."""
        from fooldeap.report.model import Report  # an application, which may be absent

        return textwrap.shorten(Report.read(path).lead, OUTCOME, placeholder=" …")

    @abstractmethod
    def verify(self, folder: Any, settings: Settings) -> Verification:
        """Repeat what a finished folder contains, and compare the results."""

    @abstractmethod
    def images(self, source: Source) -> Iterable[ExportedImage]:
        """Yield the evolved images of a finished folder, read from its files."""

    def best_images(self, path: Path) -> list[NDArray[np.uint8]]:
        """Return the evolved images of a finished folder, the most confident first."""
        folder = self.folder.open_finished(path)
        with blaming_damage(path):
            found = list(self.images(Source(folder.path)))
        return [each.image for each in sorted(found, key=lambda each: -each.confidence)]


def kinds() -> list[tuple[str, FolderKind]]:
    """Return the name and an instance of each kind of folder."""
    return [(name, kind()) for name, kind in extensions.load("fooldeap.folders")]


def open_finished(path: Path) -> tuple[FolderKind, Folder]:
    """Open a finished folder, and return its kind, which follows from its files.

    Raises
    ------
    InputError
        The folder is of no known kind, is not finished, or its configuration has changed.
    """
    known = [kind for _, kind in kinds()]
    kind = next((kind for kind in known if (path / kind.folder.FILE).is_file()), None)
    if kind is None:
        names = ", ".join(each.folder.FILE for each in known)
        problem = f"{path}: has none of {names}" if path.is_dir() else f"no folder {str(path)!r}"
        commands = ", ".join(dict.fromkeys(each.folder.MADE_BY for each in known))
        raise InputError(f"{problem}; name a folder that one of these commands has written: {commands}")
    return kind, kind.folder.open_finished(path)
