"""Read the files of a folder for its page. No plugin and no classifier is needed, and none is run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration import reading
from fooldeap.errors import InputError
from fooldeap.formatting import grouped
from fooldeap.report.parts import Table
from fooldeap.results import FoolingImage
from fooldeap.storage.inputs import read, read_json, rows_of

LARGEST = 1 << 25  # bytes; larger tables and texts are not read
MOST_IMAGES = 1 << 30  # bytes; the largest size of all images of a page, decoded
_DEPENDS_ON = {
    "image": "only the image",
    "batch": "the image and its batch",
    "chance": "chance; the results cannot be reproduced",
}


@dataclass(frozen=True)
class Provenance:
    """The provenance of results: the configuration as YAML, versions, plugins, query log, and forced changes."""

    configuration: str
    versions: Table
    plugins: Table
    ledger: Table | None
    forced: Sequence[str]


def provenance(folder: Path, configuration: str) -> Provenance:
    """Return the provenance that a folder records; ``configuration`` is the name of its configuration file."""
    environment = read_json(folder / "environment.json")
    packages = [(str(name), str(version)) for name, version in environment.get("packages", {}).items()]
    machine = f"{environment.get('platform', 'unknown')}, {environment.get('cores', '?')} cores"
    plugins = [(str(name), str(digest)[:16]) for name, digest in environment.get("plugins", {}).items()]
    words = [str(word) for word in environment.get("command", [])]
    command = " ".join([os.path.basename(words[0]), *words[1:]]) if words else "unknown"  # noqa: PTH119 - a word
    system = [("command", command), ("machine", machine), ("python", str(environment.get("python", "unknown")))]
    digest = [("classifier, SHA-256", str(environment["classifier"])[:16])] if environment.get("classifier") else []
    answers = _DEPENDS_ON.get(str(environment.get("answers_depend_on")))
    depends_on = [("the classifier's answers depend on", answers)] if answers else []
    return Provenance(
        configuration=text(folder / configuration),
        versions=Table(["item", "value"], [*system, *packages, *digest, *depends_on], left=2),
        plugins=Table(["plugin", "SHA-256 of its source"], plugins, left=2),
        ledger=_query_log(folder / "queries.csv"),
        forced=[str(change) for change in environment.get("forced", [])],
    )


def _query_log(path: Path) -> Table | None:
    """Return the query log as a table without its last column; None if the file is missing or empty."""
    sessions = rows(path)
    if not sessions:
        return None
    return Table(list(sessions[0])[:-1], [[_count(cell) for cell in list(row.values())[:-1]] for row in sessions])


def _count(cell: Any) -> str:
    text = str(cell).strip()
    return grouped(int(text)) if text.isdecimal() else text


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; an empty list if the file is missing or larger than `LARGEST`."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return []
    return rows_of(read(path, LARGEST))


def text(path: Path) -> str:
    """Return the content of a text file."""
    return read(path, LARGEST).decode(errors="replace")


class Images:
    """The images of a folder. At most about ``most`` bytes of them are decoded."""

    def __init__(self, folder: Path, most: float = MOST_IMAGES) -> None:
        self._folder, self._left = folder, most

    def get(self, name: str) -> NDArray[np.uint8] | None:
        """Return an image, uint8 (h, w, c), or None if it is missing or the limit is reached.

        Raises
        ------
        InputError
            The file is not a PNG, or it is outside the folder.
        """
        path = inside(self._folder, name)
        if self._left <= 0 or not path.is_file():
            return None
        pixels = FoolingImage.from_file(path).pixels
        self._left -= pixels.nbytes
        return pixels


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a file of the folder names; raise `InputError` if it is outside the folder."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{folder}: names the file {name!r}, which is outside this folder; restore it from a copy")
    return folder / name


def parsed_yaml(text: str) -> dict[str, Any]:
    """Return the data of a configuration; empty if it cannot be read."""
    try:
        return reading.parse(text, "configuration", Path.cwd()).data
    except InputError:
        return {}


def named(configuration: str, otherwise: str) -> str:
    """Return the key ``name`` of a configuration, or ``otherwise`` if it has none."""
    return str(parsed_yaml(configuration).get("name", otherwise))
