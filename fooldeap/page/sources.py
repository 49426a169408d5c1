"""What pages show, read from the files of a folder: no plugin and no classifier is needed, and none is run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration import reading
from fooldeap.errors import InputError
from fooldeap.numerals import grouped
from fooldeap.page.parts import Table
from fooldeap.results import FoolingImage
from fooldeap.storage.inputs import read, read_json, rows_of

LARGEST = 1 << 25  # bytes of a table or a text that are still worth reading for a page
MOST_IMAGES = 1 << 30  # bytes of all images of a page, once decoded


_DEPENDS_ON = {
    "image": "the image alone",
    "batch": "the rest of its batch as well",
    "chance": "chance: no result can be reproduced",
}


@dataclass(frozen=True)
class Provenance:
    """Where results come from: the configuration as YAML, versions, sessions of the ledger, what was forced."""

    configuration: str
    versions: Table
    plugins: Table
    ledger: Table | None
    forced: Sequence[str]


def provenance(folder: Path, configuration: str) -> Provenance:
    """Return what a folder says of how it was made; ``configuration`` is the name of its file."""
    known = read_json(folder / "environment.json")
    packages = [(str(name), str(version)) for name, version in known.get("packages", {}).items()]
    machine = f"{known.get('platform', 'unknown')}, {known.get('cores', '?')} cores"
    plugins = [(str(name), str(digest)[:16]) for name, digest in known.get("plugins", {}).items()]
    command = [str(word) for word in known.get("command", [])]
    words = " ".join([os.path.basename(command[0]), *command[1:]]) if command else "unknown"  # noqa: PTH119 - a word
    made = [("command", words), ("machine", machine), ("python", str(known.get("python", "unknown")))]
    digest = [("classifier", f"{str(known['classifier'])[:16]}")] if known.get("classifier") else []
    answers = _DEPENDS_ON.get(str(known.get("answers_depend_on")))
    depends_on = [("its answers depend on", answers)] if answers else []
    return Provenance(
        configuration=text(folder / configuration),
        versions=Table(["what", "which"], [*made, *packages, *digest, *depends_on], left=2),
        plugins=Table(["plugin", "SHA-256 of its source"], plugins, left=2),
        ledger=_ledger(folder / "ledger.csv"),
        forced=[str(change) for change in known.get("forced", [])],
    )


def _ledger(path: Path) -> Table | None:
    found = rows(path)
    if not found:
        return None
    return Table(list(found[0])[:-1], [[_count(cell) for cell in list(row.values())[:-1]] for row in found])


def _count(cell: Any) -> str:
    text = str(cell).strip()
    return grouped(int(text)) if text.isdecimal() else text


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none where there is no file, or a very large one."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return []
    return rows_of(read(path, LARGEST))


def text(path: Path) -> str:
    """Return what a text file holds."""
    return read(path, LARGEST).decode(errors="replace")


class Images:
    """The images of a folder, of which no more than ``most`` bytes are decoded."""

    def __init__(self, folder: Path, most: float = MOST_IMAGES) -> None:
        self._folder, self._left = folder, most

    def get(self, name: str) -> NDArray[np.uint8] | None:
        """Return an image uint8 (h, w, c), None where it is not there, or is one too many.

        Raises
        ------
        InputError
            It is no PNG, or its name leads out of the folder.
        """
        place = inside(self._folder, name)
        if self._left <= 0 or not place.is_file():
            return None
        pixels = FoolingImage.from_file(place).pixels
        self._left -= pixels.nbytes
        return pixels


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file that something in a folder names; `InputError` where that leads elsewhere."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{folder}: names the file {name!r}, which is elsewhere; restore it from a copy")
    return folder / name


def parsed_yaml(text: str) -> dict[str, Any]:
    """Return what a configuration says, empty where it cannot be read."""
    try:
        return reading.parse(text, "configuration", Path.cwd()).data
    except InputError:
        return {}


def named(configuration: str, otherwise: str) -> str:
    """Return the name that a configuration gives."""
    return str(parsed_yaml(configuration).get("name", otherwise))
