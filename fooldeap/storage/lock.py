"""The lock of a folder: one process works in it at a time, and others are told which.

A file in the folder says who that is. Its process also holds the kernel's lock on that file, which ends with the
process however that ends: a file that nobody holds was left by one that was killed on this host, and is taken over.
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

from fooldeap.errors import InputError
from fooldeap.storage.files import Appended
from fooldeap.storage.inputs import parsed

LOCK = ".lock"


class _Owner(NamedTuple):
    process: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder; raise `InputError`, with their name, where one is in it."""
    path = folder / LOCK
    file = _taken(path)
    try:
        _sign(file)
        yield
    finally:
        with contextlib.suppress(OSError):  # what is left here keeps nobody out
            if _is(path, file):
                path.unlink()
        with contextlib.suppress(Exception):
            file.close()


def _taken(path: Path) -> Appended:
    while True:
        file = Appended(path)
        try:
            _refuse_another(path, file)
            if _is(path, file):  # and not one that its owner has removed since
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _refuse_another(path: Path, file: Appended) -> None:
    owner = _owner(file)
    works = f"{path.parent}: another process works on it" + (f" ({owner})" if owner else "")
    if not _free(file, owner):
        raise InputError(f"{works}; wait until that ends, or end it")
    if owner is not None and owner.host != socket.gethostname():
        raise InputError(f"{works}, or was killed there; if it works no more, remove {path}")


def _free(file: Appended, owner: _Owner | None) -> bool:
    """Tell whether nobody on this host holds the lock, and hold it."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: all we know is whether that process is there
        return owner is None or owner.host != socket.gethostname() or not Path(f"/proc/{owner.process}").exists()
    return True


def _owner(file: Appended) -> _Owner | None:
    try:
        said = parsed(file.read(file.size, 0))
        return _Owner(int(said["process"]), str(said["host"]), str(said["since"]))
    except (ValueError, KeyError, TypeError):
        return None  # whoever made it was killed before it could say


def _sign(file: Appended) -> None:
    owner = _Owner(os.getpid(), socket.gethostname(), datetime.now().astimezone().isoformat(" ", "seconds"))
    file.cut(0)
    file.append(json.dumps(owner._asdict()).encode() + b"\n")


def _is(path: Path, file: Appended) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
