"""The folder for the sockets of a pool."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

MAX_LENGTH = 70  # characters of the parent folder; the path of a socket may have 107


class PrivateFolder:
    """A new folder that no other user can enter, with a path short enough for sockets.

    It is locked as long as this process lives. A folder without a lock was left by a main process that was killed
    together with its supervisors. The next pool removes such folders.
    """

    PREFIX = "fooldeap-scoop-"
    GRACE_SECONDS = 60.0  # seconds during which a new folder may not be locked yet

    def __init__(self) -> None:
        found = tempfile.gettempdir()
        usable = len(found) <= MAX_LENGTH and ":" not in found  # ssh uses the colon as a separator
        parent = found if usable else "/tmp"
        self._remove_abandoned(Path(parent))
        self.name = tempfile.mkdtemp(prefix=self.PREFIX, dir=parent)
        self._descriptor = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove the folder with its content."""
        os.close(self._descriptor)
        shutil.rmtree(self.name, ignore_errors=True)

    def _remove_abandoned(self, parent: Path) -> None:
        for left in parent.glob(f"{self.PREFIX}*"):
            with contextlib.suppress(OSError):  # it belongs to another user, or is in use
                descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    found = os.fstat(descriptor)
                    if found.st_uid == os.getuid() and time.time() - found.st_mtime > self.GRACE_SECONDS:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(left)
                finally:
                    os.close(descriptor)
