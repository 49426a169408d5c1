"""Read the files of a folder for its report. No plugin and no classifier is needed, and none is run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fooldeap.results import FoolingImage
from fooldeap.runs.folder import inside
from fooldeap.storage.inputs import read, rows_of

LARGEST = 1 << 25  # bytes; larger tables and texts are not read
MOST_IMAGES = 1 << 30  # bytes; the largest size of all images of a page, decoded


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
