"""Read ``.npz`` archives that may come from anybody: their unpacked size is known before they are unpacked."""

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fooldeap.storage.archives import most_unpacked


class TooLarge(ValueError):
    """What is in an archive is far larger than the archive."""


def check_unpacked(unpacked: int, packed: int) -> None:
    """Raise `TooLarge` where a file of ``packed`` bytes would unpack to far more than it is."""
    if unpacked > most_unpacked(packed):
        raise TooLarge(f"would unpack to {unpacked:,} bytes, far more than it is; do not use this file")


@contextlib.contextmanager
def opened(file: BinaryIO) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Open an archive of arrays, none of them pickled; each is read when it is asked for.

    Raises
    ------
    TooLarge
        It would unpack to more than a gigabyte and a hundred times its size.
    Exception
        It is damaged: `zipfile`, `zlib` and numpy raise many types of error for it.
    """
    with zipfile.ZipFile(file) as archive:
        check_unpacked(sum(member.file_size for member in archive.infolist()), file.seek(0, 2))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        yield arrays
