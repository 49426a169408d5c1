"""The folder of a pool's sockets."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

LONGEST_FOLDER = 70  # characters; the whole name of a socket may have 107


class PrivateFolder:
    """A new folder that no other user may enter, its name short enough for a socket's.

    It is locked as long as this process lives. One that nobody holds was left by a root that was killed together with
    its foreman, and is removed by the next.
    """

    PREFIX = "fooldeap-scoop-"
    NEWBORN = 60.0  # seconds in which it may not be locked yet

    def __init__(self) -> None:
        found = tempfile.gettempdir()
        usable = len(found) <= LONGEST_FOLDER and ":" not in found  # which ssh would take for the end of the name
        parent = found if usable else "/tmp"
        self._sweep(Path(parent))
        self.name = tempfile.mkdtemp(prefix=self.PREFIX, dir=parent)
        self._descriptor = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove it, with all that is in it."""
        os.close(self._descriptor)
        shutil.rmtree(self.name, ignore_errors=True)

    def _sweep(self, parent: Path) -> None:
        for left in parent.glob(f"{self.PREFIX}*"):
            with contextlib.suppress(OSError):  # it is somebody else's, or at work
                descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    found = os.fstat(descriptor)
                    if found.st_uid == os.getuid() and time.time() - found.st_mtime > self.NEWBORN:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(left)
                finally:
                    os.close(descriptor)
