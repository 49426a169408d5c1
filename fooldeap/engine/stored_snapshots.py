"""Snapshots in files, for experiments whose images are too large or too many for the memory.

While a run evolves, it appends the images as PNG to a `PictureFile` beside its journal, each image once, even if it is
the best image of many targets. There are fewer snapshots than in other experiments: at generations 0, 1, 10, 100, ...
and at the end.

When the experiment ends, the snapshots are written to ``snapshots.npz``. It has the arrays that
`fooldeap.engine.snapshots` describes, with two differences. Instead of the array ``image``, it has the members
``0.png``, ``1.png``, ... with the different images, and the array ``picture`` int64 (n,) with the number of the image
of each snapshot. ``logits`` has one row per image.
"""

import functools
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.plugin import Images
from fooldeap.results import SOFTMAX, FoolingImage, RunResult, Snapshot, pixels_of
from fooldeap.storage import npz
from fooldeap.storage.files import Appended, writing
from fooldeap.storage.inputs import opened

_FORMAT: npz.Format = {
    "run": (np.int64, 1),
    "generation": (np.int64, 1),
    "evaluations": (np.int64, 1),
    "score": (np.float64, 1),
    "picture": (np.int64, 1),
    "logits": (np.float32, 2),
    "confidence_kind": (np.str_, 1),
}
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a member of an archive: the lengths of its name and of the extra field
_LENGTH = struct.Struct("<I")
_MOST_PNG = 1 << 28  # bytes


def due(generation: int) -> bool:
    """Return whether a generation is 0 or a power of 10."""
    return generation == 0 or 10 ** round(math.log10(generation)) == generation


class Pictures(Protocol):
    """PNG files by number."""

    @property
    def path(self) -> Path:
        """The file that contains them."""

    def png(self, number: int) -> bytes:
        """Return the content of a PNG file."""


class PictureFile:
    """PNG files, one after the other in a file, each after its length. It can be pickled once it is closed.

    A resumed run adds the same images again. The pictures that an earlier session wrote are then used, because it takes
    much longer to encode a picture than to read it.

    Parameters
    ----------
    path : the file
    """

    def __init__(self, path: Path) -> None:
        self.path, self._places, self._end = path, list[tuple[int, int]](), 0
        self._file: Appended | None = Appended(path)

    def add(self, image: Images) -> int:
        """Append an image uint8 (h, w, c), and return its number."""
        if self._file is None:
            raise ValueError(f"{self.path}: is closed")
        content = self._earlier(self._file, image)
        if content is None:
            content = FoolingImage(image).png()
            self._file.cut(self._end)
            self._file.append(_LENGTH.pack(len(content)) + content)
        self._places.append((self._end + _LENGTH.size, len(content)))
        self._end = sum(self._places[-1])
        return len(self._places) - 1

    def _earlier(self, file: Appended, image: Images) -> bytes | None:
        """Return the next picture of an earlier session if it shows the image."""
        head = file.read(_LENGTH.size, self._end)
        if len(head) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack(head)
        content = file.read(min(size, _MOST_PNG), self._end + _LENGTH.size)
        try:
            same = len(content) == size and np.array_equal(FoolingImage.from_png(content).pixels, image)
        except ValueError:
            same = False
        return content if same else None

    def png(self, number: int) -> bytes:
        """Return the content of a PNG file."""
        start, size = self._places[number]
        with opened(self.path) as file:
            file.seek(start)
            return file.read(size)

    def moved(self, path: Path) -> "PictureFile":
        """Return the same pictures in a copy of the file."""
        copy = PictureFile.__new__(PictureFile)
        copy.path, copy._places, copy._end, copy._file = path, self._places, self._end, None
        return copy

    def close(self) -> None:
        """Close the file. Pictures can still be read."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _Archive:
    """The PNG files of an archive, which are not compressed further."""

    def __init__(self, path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
        self.path = path
        self._places = [(each.header_offset, each.file_size, each.CRC) for each in members]

    def png(self, number: int) -> bytes:
        """Return the content of a PNG file.

        Raises
        ------
        InputError
            The archive was changed.
        """
        start, size, checksum = self._places[number]
        with opened(self.path) as file:
            file.seek(start)
            head = file.read(_LOCAL_HEADER.size)
            file.seek(sum(_LOCAL_HEADER.unpack(head)) if len(head) == _LOCAL_HEADER.size else 0, 1)
            content = file.read(min(size, _MOST_PNG))
        if zlib.crc32(content) != checksum:
            raise InputError(f"{self.path}: was changed; restore it from a copy")
        return content


class StoredImage(FoolingImage):
    """An image whose PNG is read each time when it is used.

    Parameters
    ----------
    path : the file that contains it, for messages
    read : returns the content of the PNG
    """

    def __init__(self, path: Path, read: Callable[[], bytes]) -> None:
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_read", read)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The image, uint8 (h, w, c).

        Raises
        ------
        InputError
            The content is not a valid PNG.
        """
        return pixels_of(self._read(), self._path)

    def png(self, scale: int = 1) -> bytes:
        """Return the image as PNG, each pixel ``scale`` x ``scale`` large."""
        return self._read() if scale == 1 else super().png(scale)

    _path: Path
    _read: Callable[[], bytes]


class StoredSnapshot(NamedTuple):
    """A `Snapshot` with the number of its picture."""

    generation: int
    evaluations: int
    score: float
    picture: int
    logits: NDArray[np.float32]
    confidence_kind: str = SOFTMAX


class StoredSnapshots(Sequence[Snapshot]):
    """The snapshots of one target. Each image is read when it is used."""

    def __init__(self, rows: Sequence[StoredSnapshot], pictures: Pictures) -> None:
        self.rows, self.pictures = rows, pictures

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Snapshot: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredSnapshots": ...
    def __getitem__(self, index: int | slice) -> "Snapshot | StoredSnapshots":
        if isinstance(index, slice):
            return StoredSnapshots(self.rows[index], self.pictures)
        row = self.rows[index]
        return Snapshot(*row[:3], self._image(row).pixels, *row[4:])

    @property
    def last_image(self) -> FoolingImage:
        """The image of the last snapshot."""
        return self._image(self.rows[-1])

    def with_last(self, score: float, logits: NDArray[np.float32]) -> "StoredSnapshots":
        """Return the snapshots with another answer to the last image."""
        return StoredSnapshots([*self.rows[:-1], self.rows[-1]._replace(score=score, logits=logits)], self.pictures)

    def moved(self, path: Path) -> "StoredSnapshots":
        """Return the snapshots of a run with a copy of its file of pictures."""
        assert isinstance(self.pictures, PictureFile)
        return StoredSnapshots(self.rows, self.pictures.moved(path))

    def _image(self, row: StoredSnapshot) -> FoolingImage:
        return StoredImage(self.pictures.path, functools.partial(self.pictures.png, row.picture))


def write(path: Path, runs: Sequence[RunResult]) -> None:
    """Write the snapshots of runs on one classifier, one image after the other."""
    rows = list[tuple[object, ...]]()
    numbers, logits = dict[tuple[int, int, int], int](), list[NDArray[np.float32]]()
    with writing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for place, run in enumerate(runs):
            taken = run.snapshots
            assert isinstance(taken, StoredSnapshots)
            for each in taken.rows:
                number = numbers.setdefault((id(taken.pictures), each.picture, id(each.logits)), len(logits))
                if number == len(logits):
                    logits.append(each.logits)
                    archive.writestr(zipfile.ZipInfo(f"{number}.png"), taken.pictures.png(each.picture))
                rows.append((place, *each[:3], number, each.confidence_kind))
        names = [name for name in _FORMAT if name != "logits"]
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        npz.add_arrays(archive, npz.as_arrays(_FORMAT, {**columns, "logits": logits}))


def read(path: Path, runs: int) -> list[StoredSnapshots] | None:
    """Return the snapshots of each run, or None if the file contains them in another form.

    Raises
    ------
    ValueError
        `write` did not write the file.
    """
    with opened(path) as file:
        members = _members(file)
        if "picture.npy" not in members:
            return None
        arrays = npz.read_arrays(_FORMAT, file)
    logits = arrays.pop("logits")
    if len({len(array) for array in arrays.values()}) > 1 or not _within(arrays["picture"], len(logits)):
        raise ValueError(f"its arrays are not {', '.join(_FORMAT)}")
    if not _within(arrays["run"], runs):
        raise ValueError(f"it has runs that are not among the {runs} of result.json")
    pictures = [members.get(f"{number}.png") for number in range(len(logits))]
    known = [each for each in pictures if each is not None and each.compress_type == zipfile.ZIP_STORED]
    if len(known) < len(logits):
        raise ValueError(f"it has not all pictures from 0.png to {len(logits) - 1}.png")
    archive, found = _Archive(path, known), [list[StoredSnapshot]() for _ in range(runs)]
    columns = [array.tolist() for array in arrays.values()]
    for place, generation, evaluations, score, number, kind in zip(*columns, strict=True):
        found[place].append(StoredSnapshot(generation, evaluations, score, number, logits[number], kind))
    return [StoredSnapshots(rows, archive) for rows in found]


def _members(file: BinaryIO) -> dict[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(file) as archive:
            return {member.filename: member for member in archive.infolist()}
    except npz.DAMAGE as error:
        raise ValueError(f"it cannot be read ({type(error).__name__}: {error})") from None
    finally:
        file.seek(0)


def _within(numbers: NDArray[np.int64], count: int) -> bool:
    return bool(((numbers >= 0) & (numbers < count)).all())
