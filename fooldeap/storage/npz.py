"""Reads ``.npz`` archives from untrusted sources. Their unpacked size is checked before they are unpacked."""

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fooldeap.storage.archives import most_unpacked


class TooLarge(ValueError):
    """The archive would unpack to far more than its own size."""


def check_unpacked(unpacked: int, packed: int) -> None:
    """Raise `TooLarge` if a file of ``packed`` bytes would unpack to far more than its own size."""
    if unpacked > most_unpacked(packed):
        raise TooLarge(f"would unpack to {unpacked:,} bytes, far more than it is; do not use this file")


@contextlib.contextmanager
def opened(file: BinaryIO) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Open an archive of arrays. No array is unpickled. Each array is read on first access.

    Raises
    ------
    TooLarge
        It would unpack to more than a gigabyte and more than a hundred times its size.
    Exception
        It is damaged: `zipfile`, `zlib` and numpy raise many types of errors.
    """
    with zipfile.ZipFile(file) as archive:
        check_unpacked(sum(member.file_size for member in archive.infolist()), file.seek(0, 2))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        yield arrays
