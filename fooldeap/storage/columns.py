"""Tables of arrays in one ``.npz`` file: a row an item, checked when they are read, never unpickled."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.storage import npz

# What numpy and zipfile make of an archive that is none.
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
Format = Mapping[str, tuple[type[np.generic], int]]  # of each column, by name: its type, and how many dimensions it has


def packed(form: Format, rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Return rows, of which there is at least one, as the content of a file; the same bits every time."""
    columns = zip(*rows, strict=True)
    arrays = {name: np.array(column, dtype) for (name, (dtype, _)), column in zip(form.items(), columns, strict=True)}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def unpacked(form: Format, content: bytes) -> list[tuple[Any, ...]]:
    """Return the rows.

    Raises
    ------
    ValueError
        The content is not what `packed` makes of this form.
    """
    try:
        with npz.opened(io.BytesIO(content)) as file:
            arrays = {name: file[name] for name in form}
    except DAMAGE as error:
        raise ValueError(f"it cannot be read ({type(error).__name__}: {error})") from None
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if len(lengths) != 1 or not all(_fits(array, *form[name]) for name, array in arrays.items()):
        raise ValueError(f"its arrays are not {', '.join(form)}")
    return list(zip(*arrays.values(), strict=True))


def by_run(form: Format, content: bytes, runs: int) -> list[list[tuple[Any, ...]]]:
    """Return the rows of each of so many runs, whose place is the first column, without it.

    Raises
    ------
    ValueError
        As by `unpacked`, and where a place is none.
    """
    found: list[list[tuple[Any, ...]]] = [[] for _ in range(runs)]
    for place, *row in unpacked(form, content):
        if not 0 <= place < runs:
            raise ValueError(f"it has a run {place}, of {runs}")
        found[place].append(tuple(row))
    return found


def _fits(array: NDArray[Any], dtype: type[np.generic], dimensions: int) -> bool:
    return array.dtype == dtype and array.ndim == dimensions and 0 not in array.shape
