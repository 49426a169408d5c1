"""Export the evolved images of a finished run, study or audit as a labelled dataset with provenance.

Everything is read from the files of the folder, and their checksums are checked. No plugin and no classifier is needed.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine import query_log
from fooldeap.errors import InputError, blaming_damage
from fooldeap.formatting import as_csv
from fooldeap.result_tools.kinds import ExportedImage, Source, open_finished
from fooldeap.results import FoolingImage
from fooldeap.runs.folder import Folder
from fooldeap.storage.files import (
    make_folder,
    make_folders,
    publish,
    remove_leftovers,
    temporary_name,
    write_whole,
)
from fooldeap.storage.inputs import read
from fooldeap.storage.sums import digest

_MACHINE = ("python", "platform", "machine", "packages", "plugins")  # other keys may contain paths of the user


@dataclass(frozen=True)
class Collection:
    """The evolved images of a folder, sorted by variant, seed and target, and their provenance as JSON data."""

    evolved: tuple[ExportedImage, ...]
    provenance: dict[str, Any]

    def archive(self) -> bytes:
        """Return the content of a NumPy archive, which loads without pickle.

        Its arrays are ``images`` uint8 (n, h, w, c); ``labels`` (the targets), ``predicted``, ``seeds``,
        ``evaluations`` and ``evaluations_to_goal`` (-1 if no image reached the goal), int64 (n,); ``confidence`` and
        ``score``, float64 (n,); ``variants``, text (n,); and ``provenance``, one text in JSON.

        Raises
        ------
        InputError
            The images have different shapes.
        """
        shapes = sorted({each.image.shape for each in self.evolved})
        if len(shapes) > 1:
            raise InputError(f"--npz: got images of the shapes {shapes}, expected one shape; use --png instead")
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
        """Return the content of each file of a folder: one PNG per image, ``metadata.csv`` and ``provenance.json``.

        There is one subfolder per target. Their names are padded with zeros, so that their alphabetical order is the
        order of the targets.
        """
        digits = len(str(max(each.target for each in self.evolved)))
        rows: list[Sequence[object]] = [["file", *ExportedImage._fields[1:]]]
        files = dict[str, bytes]()
        for each in self.evolved:
            variant = f"{each.variant}-" if each.variant else ""
            name = f"{each.target:0{digits}d}/{variant}seed-{each.seed}.png"
            files[name] = FoolingImage(each.image).png()
            rows.append([name, *each[1:]])
        files["metadata.csv"] = as_csv(rows).encode()
        files["provenance.json"] = (_json(self.provenance) + "\n").encode()
        return files

    def _integers(self, name: str) -> NDArray[np.int64]:
        values = [getattr(each, name) for each in self.evolved]
        return np.array([-1 if value is None else value for value in values], np.int64)


def export(folder: Path, npz: Path | None = None, png: Path | None = None) -> Collection:
    """Write the evolved images of a finished run, study or audit to a new archive, to a new or empty folder, or both.

    An archive or folder that already has exactly this content is left unchanged.

    Raises
    ------
    InputError
        `collect` failed, or the archive or folder exists with other content. Nothing was written.
    """
    for option, path in (("--npz", npz), ("--png", png)):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: no folder {str(path.parent)!r}; create it first")
    with blaming_damage(folder):
        collection = collect(folder)
        archive = None if npz is None else collection.archive()
        images = None if png is None else collection.files()
    archive_exists = npz is not None and archive is not None and _exists("--npz", npz, archive)
    if png is not None and images is not None and not _exists("--png", png, images):
        _write_folder(png, images)
    if npz is not None and archive is not None and not archive_exists:
        remove_leftovers(npz.parent)
        write_whole(npz, archive)
    return collection


def _exists(option: str, path: Path, content: bytes | dict[str, bytes]) -> bool:
    """Return whether a file or folder with this content exists; raise `InputError` if it has other content."""
    is_file = isinstance(content, bytes)
    if not path.is_symlink() and (not path.exists() or (not is_file and path.is_dir() and not any(path.iterdir()))):
        return False
    if path.is_symlink() or _content(path) != content:
        kind = "file" if is_file else "folder"
        raise InputError(f"{option} {path}: already exists; name a new {kind}, or remove it")
    return True


def _content(path: Path) -> bytes | dict[str, bytes]:
    """Return the content of a file, or the content of each file below a folder by its relative path."""
    if path.is_file():
        return read(path)
    files = (file for file in path.rglob("*") if not file.is_dir())
    return {file.relative_to(path).as_posix(): read(file) if file.is_file() else b"" for file in files}


def _write_folder(path: Path, files: dict[str, bytes]) -> None:
    """Write a folder atomically."""
    destination = path.resolve()
    remove_leftovers(destination.parent)
    with temporary_name(destination) as temporary:
        make_folder(temporary)
        for name, content in files.items():
            make_folders(temporary, (temporary / name).parent)
            write_whole(temporary / name, content)
        publish(temporary, destination)


def collect(folder: Path) -> Collection:
    """Return the evolved images of a finished run, study or audit.

    Raises
    ------
    InputError
        The folder is of another kind, is not finished or has no images, or a required file has changed or is damaged.
    """
    kind, finished = open_finished(folder)
    source = Source(folder)
    with blaming_damage(folder):
        evolved = tuple(sorted(kind.images(source), key=lambda each: (each.variant, each.seed, each.target)))
        provenance = _provenance(source, finished, kind.query_logs, evolved)
    if not evolved:
        raise InputError(f"{folder}: contains no images to export")
    return Collection(evolved, provenance)


def _provenance(source: Source, folder: Folder, pattern: str, evolved: Sequence[ExportedImage]) -> dict[str, Any]:
    environment = source.read_json("environment.json")
    logs = [query_log.parsed(source.read(name), source.folder / name) for name in source.names(pattern)]
    queries = [each for log in logs for _, each in log]
    return {
        "exported_by": f"fooldeap {metadata.version('fooldeap')}",
        "configuration": source.read(folder.FILE).decode(),
        "seeds": sorted({each.seed for each in evolved}),
        "classifier": environment.get("classifier") or _classifiers(source),
        "shown_to_the_classifier": sum(each.shown for each in queries),
        "perhaps_shown_besides": sum(each.uncertain for each in queries),
        "made_with": {name: environment[name] for name in _MACHINE if name in environment},
        "forced": environment.get("forced", []),
        "sha256": {name: digest(source.read(name)) for name in (folder.FILE, folder.LAST)},
    }


def _classifiers(source: Source) -> dict[str, str]:
    """Return the digest of the classifier of each variant of a study, from its records."""
    names = source.names("variants/*/records/*.json")
    return {PurePosixPath(name).parts[1]: str(source.read_json(name)["classifier"]) for name in names}


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)
