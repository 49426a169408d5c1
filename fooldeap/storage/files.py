"""Atomic writes of files and folders, and append-only files. Symbolic links are not followed.

A file or folder is written under a temporary name in the same folder and then renamed. The temporary name contains the
host and the process, so that the leftovers of a killed process can be recognised: see `remove_leftovers`.

An error of the operating system becomes a `FileError`, see `file_error`. Files are read by `fooldeap.storage.inputs`.
"""

import contextlib
import errno
import io
import itertools
import os
import re
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from fooldeap.errors import FileError

# Descriptors take no Path. All functions are called as attributes of `os`, so that tests can replace them.
# ruff: noqa: PTH101, PTH102, PTH103, PTH105, PTH108

_CURES = {
    **dict.fromkeys((errno.EBUSY, errno.EXDEV), "it is a mount point; name a folder in it"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make its folder writable"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ESTALE), "restore its folder"),
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "give it a shorter name",
}
_CURES_OF_READING = {**_CURES, **dict.fromkeys((errno.EACCES, errno.EPERM), "make it readable")}

_TEMPORARY = re.compile(r"\.fooldeap-(?P<host>.*)-(?P<process>\d+)-\d+\.part")
_numbers = itertools.count()
_in_use: set[str] = set()  # temporary names of this process


@contextlib.contextmanager
def temporary_name(final: Path) -> Iterator[Path]:
    """Yield a path for a temporary file or folder beside ``final``, which is to be its name.

    After an error it is removed. The message of a `FileError` then names ``final``.
    """
    path = final.parent / f".fooldeap-{socket.gethostname()}-{os.getpid()}-{next(_numbers)}.part"
    _in_use.add(path.name)
    try:
        yield path
    except BaseException as error:
        _remove_temporary(path)
        if isinstance(error, FileError):
            raise FileError(str(error).replace(str(path), str(final))) from error
        raise
    finally:
        _in_use.discard(path.name)


def is_temporary(name: str) -> bool:
    """Return whether a file or folder has a temporary name: it is being written, or was left by a killed process."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders in ``folder`` that killed processes of this host left."""
    with contextlib.suppress(OSError):  # if a folder cannot be listed, there is nothing to remove
        for path in sorted(folder.iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match is not None and match["host"] == socket.gethostname() and not _is_writing(match, path.name):
                _remove_temporary(path)


def remove_all_leftovers(folder: Path) -> None:
    """Remove every temporary file and folder below ``folder``. No other process may write there."""
    for place, folders, names in os.walk(folder):
        for name in filter(is_temporary, [*folders, *names]):
            _remove_temporary(Path(place, name))
        folders[:] = [name for name in folders if not is_temporary(name)]


def _is_writing(match: re.Match[str], name: str) -> bool:
    """Return whether the process that made a temporary name may still write to it."""
    process = int(match["process"])
    return name in _in_use if process == os.getpid() else is_running(process)


def is_running(process: int) -> bool:
    """Return whether a process of this host exists."""
    try:
        os.kill(process, 0)  # sends no signal
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # the process belongs to another user
    return True


def _remove_temporary(path: Path) -> None:
    try:
        os.unlink(path)
    except (IsADirectoryError, PermissionError):  # macOS reports a folder as the latter
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass  # failing to remove it does no harm


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: after an error, the file is as it was before.

    A symbolic link with this name is replaced; its target is not changed.
    """
    with writing(path) as file:
        file.write(content)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is written atomically, as by `write_whole`, at the end of the block."""
    with temporary_name(path) as temporary, _told(path, "written"):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        try:
            yield cast(BinaryIO, _Written(descriptor))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        _sync_names(path.parent)


class _Written(io.RawIOBase):
    """A file that is written at its position. It is neither read nor closed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._place, self._end = descriptor, 0, 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        _write(self._descriptor, memoryview(content).cast("B") if size else b"", self._place)
        self._place += size
        self._end = max(self._end, self._place)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        return self._place


def publish(temporary: Path, path: Path) -> None:
    """Rename a complete temporary file or folder to ``path``, which must not exist or must be an empty folder.

    Raises
    ------
    FileExistsError
        ``path`` exists already.
    FileError
        ``path`` cannot be created. The message contains the reason.
    """
    try:
        with _told(path, "created"):
            if path.is_dir():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            os.replace(temporary, path)
            _sync_names(path.parent)
    except FileError as error:
        if getattr(error.__cause__, "errno", None) in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(f"{path}: already exists") from None
        raise


def _sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, so that a power cut does not restore an old file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system does not support it
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, if it exists."""
    with _told(path, "removed"), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def make_parents(folder: Path) -> None:
    """Create a folder and its missing parents."""
    with _told(folder, "created"):
        os.makedirs(folder, exist_ok=True)


def make_folder(folder: Path) -> None:
    """Create a folder, which must not exist."""
    with _told(folder, "created"):
        os.mkdir(folder)


def make_folders(root: Path, folder: Path) -> None:
    """Create a folder and the missing ones between it and ``root``. ``root`` must exist; it is not created."""
    each = root
    for part in folder.relative_to(root).parts:
        each = each / part
        with _told(each, "created"):
            try:
                os.mkdir(each)
            except FileExistsError:
                mode = os.lstat(each).st_mode
                if not stat.S_ISDIR(mode):
                    raise OSError(errno.ELOOP if stat.S_ISLNK(mode) else errno.ENOTDIR, "a file exists there") from None


class Appended:
    """A file that grows at its end by complete pieces.

    Parameters
    ----------
    path : the file; it is created if it does not exist
    anew : whether to empty it first

    Attributes
    ----------
    size : in bytes
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self.path = path
        self._changed = self._broken = False
        with _told(path, "written"):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            self._descriptor: int | None = os.open(path, flags, 0o666)
            try:
                found = os.fstat(self._descriptor)
                if found.st_nlink > 1:  # writing would change another file, perhaps outside the folder
                    raise FileError(f"{path}: is a hard link to another file; replace it by a copy of this file")
                if anew:
                    os.ftruncate(self._descriptor, 0)
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
        """Return ``count`` bytes from offset ``start``, or fewer at the end of the file."""
        with _told(self.path, "read"):
            return os.pread(self.fileno(), count, start)

    def append(self, content: bytes | memoryview) -> None:
        """Append a piece completely or not at all.

        After a failure, all later calls fail too, so that no piece is missing between others.
        """
        if self._broken:
            raise FileError(f"{self.path}: cannot be written, because an earlier write failed")
        with _told(self.path, "written"):
            try:
                self._write(content, self.size)
            except BaseException:
                self._broken = True
                with contextlib.suppress(OSError):
                    os.ftruncate(self.fileno(), self.size)
                raise
        self.size += len(content)
        self._changed = True

    def overwrite(self, content: bytes, start: int) -> None:
        """Replace bytes in the file. Its size does not change."""
        with _told(self.path, "written"):
            self._write(content, start)
        self._changed = True

    def _write(self, content: bytes | memoryview, start: int) -> None:
        _write(self.fileno(), content, start)
        if self._links and not os.fstat(self.fileno()).st_nlink:
            raise OSError(errno.ENOENT, "it was removed")

    def cut(self, size: int) -> None:
        """Truncate the file to ``size`` bytes, if it is longer."""
        if size < self.size:
            with _told(self.path, "written"):
                os.ftruncate(self.fileno(), size)
            self.size, self._changed = size, True

    def sync(self) -> None:
        """Wait until the written bytes are on the disk."""
        if self._changed and not self._broken and self._descriptor is not None:
            self._changed = False  # after a failure the bytes may be lost, even if a second fsync succeeds
            with _told(self.path, "written"):
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with _told(self.path, "written"):
                os.close(descriptor)


def _write(descriptor: int, content: bytes | memoryview, start: int) -> None:
    waiting = memoryview(content)
    while waiting:  # a write may be short
        written = os.pwrite(descriptor, waiting, start)
        waiting, start = waiting[written:], start + written


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(path, what, error) from error


def file_error(path: Path, what: str, error: OSError) -> FileError:
    """Return an error of the operating system with one line: the file, the reason and the cure.

    ``what`` could not be done: ``"read"``, ``"written"``, ``"created"`` or ``"removed"``.
    """
    if error.errno == errno.ELOOP:
        return FileError(f"{path}: is a symbolic link, and links are not followed; remove it")
    cures = _CURES_OF_READING if what == "read" else _CURES
    return FileError(f"{path}: cannot be {what} ({error.strerror}); {cures.get(error.errno or 0, 'check its disk')}")
