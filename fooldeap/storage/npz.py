"""``.npz`` archives from untrusted sources, and tables of arrays in such archives, with one row per item.

The unpacked size of an archive is checked before it is unpacked. No array is unpickled.
"""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MOST_UNPACKED, MOST_EXPANSION = 1 << 30, 100  # bytes, and multiple of the file's own size; the larger one is the limit


class TooLarge(ValueError):
    """The archive would unpack to far more than its own size."""


def most_unpacked(size: int) -> int:
    """Return the number of bytes that a file of this size may unpack to."""
    return max(MOST_UNPACKED, MOST_EXPANSION * size)


def check_unpacked(unpacked: int, packed: int) -> None:
    """Raise `TooLarge` if a file of ``packed`` bytes would unpack to far more than its own size."""
    if unpacked > most_unpacked(packed):
        raise TooLarge(f"would unpack to {unpacked:,} bytes, far more than its own size; do not use this file")


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


# Errors of numpy and zipfile for damaged archives.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
DEFAULTS = {"confidence_kind": "softmax"}
Format = Mapping[str, tuple[type[np.generic], int]]  # dtype and number of dimensions of each column, by name


def packed(form: Format, rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Return rows, at least one, as the content of a file. Equal rows give equal bytes.

    A column of `DEFAULTS` is left out if all its values are the default.
    """
    arrays = as_arrays(form, dict(zip(form, zip(*rows, strict=True), strict=True)))
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def as_arrays(form: Format, columns: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return columns as arrays, without those of `DEFAULTS` in which all values are the default."""
    arrays = {name: np.array(columns[name], dtype) for name, (dtype, _) in form.items()}
    return {name: each for name, each in arrays.items() if name not in DEFAULTS or (each != DEFAULTS[name]).any()}


def add_arrays(archive: zipfile.ZipFile, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Add compressed arrays to an archive."""
    for name, array in arrays.items():
        member = zipfile.ZipInfo(f"{name}.npy")
        member.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(member, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


def add_column(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], length: int, parts: Iterable[NDArray[Any]]
) -> None:
    """Add an array of one dimension to an archive, part by part."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(part.astype(dtype).tobytes())


def read_arrays(form: Format, file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive. A missing column of `DEFAULTS` is as long as the first column.

    Raises
    ------
    ValueError
        The archive is damaged, or its arrays do not have this format.
    """
    try:
        with opened(file) as archive:
            arrays = {name: archive[name] for name in form if name in archive or name not in DEFAULTS}
    except DAMAGE as error:
        raise ValueError(f"it cannot be read ({type(error).__name__}: {error})") from None
    length = next((len(array) for array in arrays.values() if array.ndim), 0)
    arrays = {name: arrays[name] if name in arrays else np.full(length, DEFAULTS[name]) for name in form}
    if not all(_fits(array, *form[name]) for name, array in arrays.items()):
        raise _wrong(form)
    return arrays


def _wrong(form: Format) -> ValueError:
    return ValueError(f"its arrays are not {', '.join(form)}")


def by_run(form: Format, content: bytes, runs: int) -> list[list[tuple[Any, ...]]]:
    """Return the rows of each run, without the first column, which is the index of the run. ``runs`` is their number.

    Raises
    ------
    ValueError
        `packed` did not write the content with this format, or an index is out of range.
    """
    arrays = read_arrays(form, io.BytesIO(content))
    if len({len(array) for array in arrays.values()}) != 1:
        raise _wrong(form)
    found: list[list[tuple[Any, ...]]] = [[] for _ in range(runs)]
    for place, *row in zip(*arrays.values(), strict=True):
        if not 0 <= place < runs:
            raise ValueError(f"it has a run {place}, of {runs}")
        found[place].append(tuple(row))
    return found


def _fits(array: NDArray[Any], dtype: type[np.generic], dimensions: int) -> bool:
    return np.issubdtype(array.dtype, dtype) and array.ndim == dimensions and 0 not in array.shape
