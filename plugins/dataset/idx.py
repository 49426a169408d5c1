"""Raw IDX files, the published format of MNIST and similar datasets."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from fooldeap.plugin import KW_ONLY, Array, Directory, InputError, Split, dataclass, dataset
from fooldeap.storage import inputs
from fooldeap.storage.npz import TooLarge, check_unpacked

from ._arrays import split

_UBYTE = 8  # the code of unsigned bytes in the header
_MOST_AXES = 4  # as in colour images
_NAMES = {
    "train-images": "idx3-ubyte",
    "train-labels": "idx1-ubyte",
    "t10k-images": "idx3-ubyte",
    "t10k-labels": "idx1-ubyte",
}


@dataset("idx")
@dataclass(frozen=True)
class Idx:
    """The four IDX files of MNIST, Fashion-MNIST or KMNIST in a ``folder``, plain or gzipped.

    They are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each
    perhaps with ``.gz`` at its end, or with a dot in place of the second hyphen (format: LeCun, Cortes and Burges
    1998).
    """

    _: KW_ONLY
    folder: Directory

    def load(self) -> Split:
        """Return images uint8 (n, h, w, 1) and labels uint8 (n,)."""
        arrays = [_read(_find(Path(self.folder), stem, kind)) for stem, kind in _NAMES.items()]
        return split(f"dataset 'idx': {self.folder!r}", *arrays)


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{mark}{kind}{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"dataset 'idx': {str(folder)!r} has no {names[0]!r} or {names[1]!r}; put it there")


def _read(path: Path) -> Array:
    """Return the array in an IDX file, uint8.

    The file has two zero bytes, the type, the rank, the sizes as big-endian uint32, and the values.
    """
    where = f"dataset 'idx': {str(path)!r}"
    try:
        with inputs.opened(path, named=True) as packed, gzip.open(packed) if path.suffix == ".gz" else packed as file:
            sizes = _sizes(file, where)
            check_unpacked(math.prod(sizes), path.stat().st_size)
            content = file.read(math.prod(sizes) + 1)  # at most one byte more than the header says
    except TooLarge as error:
        raise InputError(f"{where} {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where} cannot be read ({error})") from None
    if len(content) != math.prod(sizes):
        got = len(content) if len(content) < math.prod(sizes) else "more"
        raise InputError(
            f"{where} has {got} values, expected {math.prod(sizes)} as in its header; use an undamaged file"
        )
    return np.frombuffer(content, np.uint8).reshape(sizes)


def _sizes(file: io.BufferedIOBase, where: str) -> tuple[int, ...]:
    start = file.read(4)
    axes = start[3] if len(start) == 4 and start[:3] == bytes([0, 0, _UBYTE]) else 0
    sizes = file.read(4 * axes) if 1 <= axes <= _MOST_AXES else b""
    if not sizes or len(sizes) < 4 * axes:
        raise InputError(f"{where} is not an IDX file of unsigned bytes")
    return tuple(np.frombuffer(sizes, ">u4").tolist())
