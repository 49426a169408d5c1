"""The lock of a folder: only one process works in a folder at a time.

A file in the folder names this process. The process also holds the kernel's lock on the file, and the kernel releases
it when the process ends. A file without the kernel's lock was left by a killed process of this host, and is reused.
"""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fooldeap.errors import FileError, InputError
from fooldeap.storage.files import Appended, is_running
from fooldeap.storage.inputs import parsed, read

LOCK = ".lock"


class _Owner(NamedTuple):
    process: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


@contextlib.contextmanager
def locked(subject: Path, file_name: str | None = None) -> Iterator[None]:
    """Lock a folder against other processes, or another subject with a lock file of this name beside it.

    Raises
    ------
    InputError
        Another process works on it. The message names the process.
    """
    path = subject / LOCK if file_name is None else subject.with_name(file_name)
    file = _taken(path, subject)
    try:
        _sign(file)
        yield
    finally:
        with contextlib.suppress(OSError):  # a file that is left here does not lock the folder
            if _is(path, file):
                path.unlink()
        with contextlib.suppress(Exception):
            file.close()


def is_in_use(folder: Path) -> bool:
    """Return whether a process works in a folder. Of another host, it is only known that it has not finished."""
    try:
        owner = _owner_in(read(folder / LOCK))
    except (InputError, FileError):
        return False
    return owner is not None and (owner.host != socket.gethostname() or is_running(owner.process))


def _taken(path: Path, subject: Path) -> Appended:
    while True:
        file = Appended(path)
        try:
            _refuse_another(path, subject, file)
            if _is(path, file):  # False if its previous owner removed it in the meantime
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _refuse_another(path: Path, subject: Path, file: Appended) -> None:
    owner = _owner_in(file.read(file.size, 0))
    works = f"{subject}: in use by another process" + (f" ({owner})" if owner else "")
    if not _free(file, owner):
        raise InputError(f"{works}; wait until it ends, or end it")
    if owner is not None and owner.host != socket.gethostname():
        raise InputError(f"{works}; if that process no longer runs, remove {path}")


def _free(file: Appended, owner: _Owner | None) -> bool:
    """Try to acquire the lock. Return False if another process on this host holds it."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # on a file system without locks, check whether the process exists
        return owner is None or owner.host != socket.gethostname() or not is_running(owner.process)
    return True


def _owner_in(content: bytes) -> _Owner | None:
    try:
        found = parsed(content)
        return _Owner(int(found["process"]), str(found["host"]), str(found["since"]))
    except (ValueError, KeyError, TypeError):
        return None  # its process was killed before it wrote its name


def _sign(file: Appended) -> None:
    owner = _Owner(os.getpid(), socket.gethostname(), datetime.now().astimezone().isoformat(" ", "seconds"))
    file.cut(0)
    file.append(json.dumps(owner._asdict()).encode() + b"\n")


def _is(path: Path, file: Appended) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
