"""Files that appear whole or not at all, and files that grow by whole pieces. No symbolic link is followed.

What the system refuses becomes a `FileError` of one line: which file, why, and the cure.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fooldeap.errors import FileError

# Descriptors take no Path; and all is asked of `os` by that name, which tests replace by one that fails.
# ruff: noqa: PTH102, PTH105, PTH108

_CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make its folder writable"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ESTALE), "bring its folder back"),
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
_OTHERWISE = "check its disk"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a temporary one beside it, so that nobody ever sees half of it.

    A link of that name is replaced, and what it led to is left alone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told(path, "written"):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
            try:
                _write(descriptor, content, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
            _sync_names(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _sync_names(folder: Path) -> None:
    """Wait until the disk knows which names a folder has, so that a power cut does not bring back an old file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that has no such thing
            raise
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes:
    """Return what a file holds."""
    with _told(path, "read"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return b"".join(_chunks(descriptor))
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    with _told(path, "removed"), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def make_folders(root: Path, folder: Path) -> None:
    """Make a folder and those between it and ``root``, which must be there: one that is gone is not made anew."""
    each = root
    for part in folder.relative_to(root).parts:
        each = each / part
        with _told(each, "made"):
            try:
                os.mkdir(each)
            except FileExistsError:
                mode = os.lstat(each).st_mode
                if not stat.S_ISDIR(mode):
                    raise OSError(errno.ELOOP if stat.S_ISLNK(mode) else errno.ENOTDIR, "a file is there") from None


class Appended:
    """A file that grows at its end, by whole pieces.

    Parameters
    ----------
    path : the file, which is made where there is none
    anew : whether to empty it first

    Attributes
    ----------
    size : in bytes
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self.path = path
        self._changed = self._broken = False
        with _told(path, "written"):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if anew else 0)
            self._descriptor: int | None = os.open(path, flags, 0o666)
            try:
                found = os.fstat(self._descriptor)
            except BaseException:
                os.close(self._descriptor)
                raise
        self.size, self._links = found.st_size, found.st_nlink

    def fileno(self) -> int:
        """Return the descriptor of the open file."""
        if self._descriptor is None:
            raise ValueError(f"{self.path}: is closed")
        return self._descriptor

    def read(self, count: int, start: int) -> bytes:
        """Return so many bytes from there on, or as many as there are."""
        with _told(self.path, "read"):
            return os.pread(self.fileno(), count, start)

    def append(self, content: bytes | memoryview) -> None:
        """Write a piece: all of it, or none, and then no other either, so that none is missing in between."""
        if self._broken:
            raise FileError(f"{self.path}: cannot be written, since that failed before")
        with _told(self.path, "written"):
            try:
                _write(self.fileno(), content, self.size)
                if self._links and not os.fstat(self.fileno()).st_nlink:
                    raise OSError(errno.ENOENT, "it was removed")
            except BaseException:
                self._broken = True
                with contextlib.suppress(OSError):
                    os.ftruncate(self.fileno(), self.size)
                raise
        self.size += len(content)
        self._changed = True

    def cut(self, size: int) -> None:
        """Leave the first so many bytes, where there are more."""
        if size < self.size:
            with _told(self.path, "written"):
                os.ftruncate(self.fileno(), size)
            self.size, self._changed = size, True

    def sync(self) -> None:
        """Wait until what was written has reached the disk."""
        if self._changed and not self._broken and self._descriptor is not None:
            self._changed = False  # what failed once is not on the disk, whatever a second try says
            with _told(self.path, "written"):
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with _told(self.path, "written"):
                os.close(descriptor)


def parsed(content: bytes | str) -> Any:
    """Return what stands in a JSON file, which may be somebody else's; a ValueError where it cannot be read."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _write(descriptor: int, content: bytes | memoryview, start: int) -> None:
    waiting = memoryview(content)
    while waiting:  # a write may be short
        written = os.pwrite(descriptor, waiting, start)
        waiting, start = waiting[written:], start + written


def _chunks(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, 1 << 24):
        yield chunk


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileError(f"{path}: is a symbolic link, and none is followed here; remove it") from error
        cure = _CURES.get(error.errno or 0, _OTHERWISE)
        raise FileError(f"{path}: cannot be {what} ({error.strerror}); {cure}") from error
