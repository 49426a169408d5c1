"""The evolved images of a finished run, study or audit as a labelled dataset, with where they come from.

Everything is read from the folder's files, whose checksums are compared: no plugin and no classifier is needed.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.audit.session import AuditFolder
from fooldeap.engine import query_log
from fooldeap.errors import FooldeapError, InputError
from fooldeap.finished.kinds import opened
from fooldeap.results import FoolingImage
from fooldeap.runs.folder import Folder
from fooldeap.runs.rundir import RunFolder
from fooldeap.storage.files import (
    make_folder,
    make_folders,
    publish,
    remove_leftovers,
    temporary_name,
    write_whole,
)
from fooldeap.storage.inputs import parsed, read
from fooldeap.storage.sums import digest, problems
from fooldeap.study.plan import StudyFolder

_MACHINE = ("python", "platform", "machine", "packages", "plugins")  # and nothing that names the user's folders


class Evolved(NamedTuple):
    """One evolved image, uint8 (h, w, c), and what is known of it; ``variant``: of a study, the attack of an audit."""

    image: NDArray[np.uint8]
    target: int
    seed: int
    variant: str
    predicted: int
    confidence: float
    score: float
    evaluations: int  # of its run
    evaluations_to_goal: int | None


@dataclass(frozen=True)
class Collection:
    """The evolved images of a folder by variant, seed and target, and their provenance, which JSON can hold."""

    evolved: tuple[Evolved, ...]
    provenance: dict[str, Any]

    def archive(self) -> bytes:
        """Return the content of a NumPy archive; no array needs pickle.

        images uint8 (n, h, w, c); labels (the targets), predicted, seeds, evaluations and evaluations_to_goal (-1 where
        no image reached the goal), int64 (n,); confidence and score float64 (n,); variants text (n,); provenance, a
        text of JSON.

        Raises
        ------
        InputError
            The images are of several shapes.
        """
        shapes = sorted({each.image.shape for each in self.evolved})
        if len(shapes) > 1:
            raise InputError(f"--npz: got images of the shapes {shapes}, expected one; write them with --png")
        arrays = {
            "images": np.array([each.image for each in self.evolved]),
            "labels": self._integers("target"),
            "predicted": self._integers("predicted"),
            "confidence": np.array([each.confidence for each in self.evolved], np.float64),
            "score": np.array([each.score for each in self.evolved], np.float64),
            "evaluations": self._integers("evaluations"),
            "evaluations_to_goal": self._integers("evaluations_to_goal"),
            "seeds": self._integers("seed"),
            "variants": np.array([each.variant for each in self.evolved]),
            "provenance": np.array(_json(self.provenance)),
        }
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        return content.getvalue()

    def files(self) -> dict[str, bytes]:
        """Return the files of a folder by name: an image a file, ``metadata.csv`` and ``provenance.json``.

        The images are in one folder for each target. The names of these have the same length, so that their order as
        text is that of the numbers.
        """
        digits = len(str(max(each.target for each in self.evolved)))
        table, found = io.StringIO(), dict[str, bytes]()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["file", *Evolved._fields[1:]])
        for each in self.evolved:
            variant = f"{each.variant}-" if each.variant else ""
            name = f"{each.target:0{digits}d}/{variant}seed-{each.seed}.png"
            found[name] = FoolingImage(each.image).png()
            writer.writerow([name, *each[1:]])
        found["metadata.csv"] = table.getvalue().encode()
        found["provenance.json"] = (_json(self.provenance) + "\n").encode()
        return found

    def _integers(self, name: str) -> NDArray[np.int64]:
        values = [getattr(each, name) for each in self.evolved]
        return np.array([-1 if value is None else value for value in values], np.int64)


def export(folder: Path, npz: Path | None = None, png: Path | None = None) -> Collection:
    """Write the evolved images of a finished run, study or audit to a new archive, a new or empty folder, or both.

    An archive or folder that has exactly this content already is left as it is.

    Raises
    ------
    InputError
        As `collect` does, or something else is where it would write; nothing was written.
    """
    for option, path in (("--npz", npz), ("--png", png)):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: no folder {str(path.parent)!r} to write to; make it first")
    collection = collect(folder)
    archive = None if npz is None else collection.archive()
    images = None if png is None else collection.files()
    there = npz is not None and archive is not None and _is_there("--npz", npz, archive)
    if png is not None and images is not None and not _is_there("--png", png, images):
        _write_folder(png, images)
    if npz is not None and archive is not None and not there:
        remove_leftovers(npz.parent)
        write_whole(npz, archive)
    return collection


def _is_there(option: str, path: Path, content: bytes | dict[str, bytes]) -> bool:
    """Tell whether a file or folder with this content is there; raise `InputError` if something else is."""
    is_file = isinstance(content, bytes)
    if not path.is_symlink() and (not path.exists() or (not is_file and path.is_dir() and not any(path.iterdir()))):
        return False
    if path.is_symlink() or _content(path) != content:
        what = "file" if is_file else "folder"
        raise InputError(f"{option} {path}: is there already; name a new {what}, or remove it")
    return True


def _content(path: Path) -> bytes | dict[str, bytes]:
    """Return what a file holds, or the files below a folder by name."""
    if path.is_file():
        return read(path)
    files = (file for file in path.rglob("*") if not file.is_dir())
    return {file.relative_to(path).as_posix(): read(file) if file.is_file() else b"" for file in files}


def _write_folder(path: Path, files: dict[str, bytes]) -> None:
    """Write a folder atomically."""
    place = path.resolve()
    remove_leftovers(place.parent)
    with temporary_name(place.parent) as temporary:
        make_folder(temporary)
        for name, content in files.items():
            make_folders(temporary, (temporary / name).parent)
            write_whole(temporary / name, content)
        publish(temporary, place)


def collect(folder: Path) -> Collection:
    """Return the evolved images of a finished run, study or audit.

    Raises
    ------
    InputError
        It is none of these, is not finished, has no images, or a file that is needed was changed since or is damaged.
    """
    finished = opened(folder)
    kind = _KINDS.get(type(finished))
    if kind is None:
        raise InputError(
            f"{folder}: is a retraining; export the run of one of its networks: {folder / 'networks/01/run'}"
        )
    source = _Source(folder)
    try:
        evolved = tuple(sorted(kind.found(source), key=lambda each: (each.variant, each.seed, each.target)))
        provenance = _provenance(source, finished, kind.logs, evolved)
    except FooldeapError:
        raise
    except Exception as error:  # damage shows as whatever the readers of JSON, CSV and PNG make of it
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{folder}: is damaged ({said}); restore it from a copy") from None
    if not evolved:
        raise InputError(f"{folder}: has no images to export")
    return Collection(evolved, provenance)


class _Source:
    """The files of a finished folder, each as its checksum says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wrong = {problem.partition(":")[0]: problem for problem in problems(folder)}

    def read(self, name: str) -> bytes:
        """Return what a file of the folder holds."""
        if name in self._wrong:
            raise InputError(f"{self.folder / self._wrong[name]}; restore it from a copy")
        return read(self._path(name))

    def parsed(self, name: str) -> Any:
        """Return what a JSON file of the folder holds."""
        return parsed(self.read(name))

    def names(self, pattern: str) -> list[str]:
        """Return the files of the folder whose names are of a pattern, in order."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob(pattern))

    def image(self, name: str) -> NDArray[np.uint8]:
        """Return an image of the folder, uint8 (h, w, c)."""
        if not self._path(name).is_file():
            raise InputError(f"{self.folder / name}: is not there; restore it from a copy")
        return FoolingImage.from_png(self.read(name)).pixels

    def _path(self, name: str) -> Path:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(f"{name}: got a file elsewhere, expected one below {self.folder}")
        return self.folder / name


def _of_run(source: _Source) -> Iterator[Evolved]:
    for run in source.parsed("result.json")["runs"]:
        yield _evolved(run, "", source.image(run["image"]))


def _of_study(source: _Source) -> Iterator[Evolved]:
    for record in source.names("variants/*/records/*.json"):
        variant = PurePosixPath(record).parts[1]
        for run in source.parsed(record)["runs"]:
            name = f"variants/{variant}/images/seed-{int(run['seed'])}/{int(run['target'])}.png"
            yield _evolved(run, variant, source.image(name))


def _of_audit(source: _Source) -> Iterator[Evolved]:
    for attack in source.parsed("audit.json")["attacks"]:
        place = f"attacks/{attack['name']}"
        for run in source.parsed(f"{place}/result.json")["runs"]:
            yield _evolved(run, str(attack["name"]), source.image(f"{place}/{run['image']}"))


class _Kind(NamedTuple):
    """Where folders of a kind have their query logs, and what their images are."""

    logs: str
    found: Callable[[_Source], Iterable[Evolved]]


_KINDS: dict[type[Folder], _Kind] = {
    RunFolder: _Kind("ledger.csv", _of_run),
    StudyFolder: _Kind("ledger.csv", _of_study),
    AuditFolder: _Kind("**/ledger.csv", _of_audit),
}


def _evolved(run: dict[str, Any], variant: str, image: NDArray[np.uint8]) -> Evolved:
    to_goal = run["evaluations_to_goal"]
    return Evolved(
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


def _provenance(source: _Source, folder: Folder, pattern: str, evolved: Sequence[Evolved]) -> dict[str, Any]:
    known = source.parsed("environment.json")
    logs = [query_log.parsed(source.read(name), source.folder / name) for name in source.names(pattern)]
    queries = [each for log in logs for _, each in log]
    return {
        "exported_by": f"fooldeap {metadata.version('fooldeap')}",
        "configuration": source.read(folder.FILE).decode(),
        "seeds": sorted({each.seed for each in evolved}),
        "classifier": known.get("classifier") or _classifiers(source),
        "shown_to_the_classifier": sum(each.shown for each in queries),
        "perhaps_shown_besides": sum(each.uncertain for each in queries),
        "made_with": {name: known[name] for name in _MACHINE if name in known},
        "forced": known.get("forced", []),
        "sha256": {name: digest(source.read(name)) for name in (folder.FILE, folder.LAST)},
    }


def _classifiers(source: _Source) -> dict[str, str]:
    """Return the digests of the classifiers of a study by variant, as its records have them."""
    names = source.names("variants/*/records/*.json")
    return {PurePosixPath(name).parts[1]: str(source.parsed(name)["classifier"]) for name in names}


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)
