"""SCOOP without its launcher: its futures go through a connection of ours instead of a broker on the network.

SCOOP sends pickles, and reading a pickle can run code. SCOOP's own transports and its broker listen on the network, and
notice a lost worker late or never. So this module has a transport of its own, the `Communicator`. SCOOP 0.7.2 is
pinned, because the module uses its internals, which have not changed since 2022.
"""

import contextlib
import copy
import io
import itertools
import logging
import pickle
import socket
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

# When imported, SCOOP looks up the name of this machine for its launcher. This may block and print errors.
with contextlib.redirect_stderr(io.StringIO()), mock.patch("socket.gethostbyname_ex", side_effect=socket.gaierror):
    import scoop
    from scoop import _control as control
    from scoop import _types, futures

__all__ = ["connect", "control", "disconnect", "futures"]

TASK, REQUEST, RESULT = "task", "request", "result"  # kinds of messages


def connect(connection: Any, *, root: bool, alone: bool = False) -> None:
    """Let SCOOP in this process exchange futures through a connection.

    Parameters
    ----------
    connection : has the methods ``send``, ``poll`` and ``recv_bytes`` of `multiprocessing.connection.Connection`
    root : whether this is the main process
    alone : whether there are no workers
    """
    scoop.IS_RUNNING, scoop.IS_ORIGIN, scoop.SHUTDOWN_REQUESTED = True, root, False
    scoop.worker, scoop.SIZE = b"root" if root else b"worker", 1 if alone else 2
    scoop.MAIN_MODULE = "fooldeap"  # distinguishes this use of SCOOP from that of its launcher
    scoop.CONFIGURATION = {"headless": False}
    scoop.logger = logging.getLogger("fooldeap.scoop")
    scoop.logger.propagate, scoop.logger.handlers = False, [logging.NullHandler()]
    _types.Future.rank = itertools.count()  # SCOOP identifies the root by the number 0, in each pool of this process
    _types.Communicator = lambda: Communicator(connection)
    control.execQueue = _types.FutureQueue()  # created here, so that SCOOP does not replace sys.excepthook


def disconnect() -> None:
    """End SCOOP in the main process. Afterwards it can be started again in this process."""
    control.execQueue, futures._controller = None, None
    control.futureDict.clear()
    scoop.IS_RUNNING = False
    sys.modules.pop("SCOOP_WORKER", None)


class Communicator:
    """A transport of SCOOP. SCOOP defines the names of the methods."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def sendFuture(self, future: Any) -> None:  # noqa: N802
        """Send a task. The broker may give it back."""
        self._connection.send((TASK, _pickled(future, children={})))

    def sendResult(self, future: Any) -> None:  # noqa: N802
        """Send a task that has ended."""
        self._connection.send((RESULT, _pickled(future, callable=None, args=None, kargs=None)))

    def sendRequest(self) -> None:  # noqa: N802
        """Request a task."""
        self._connection.send((REQUEST, b""))

    def sendStatusRequest(self, future: Any) -> None:  # noqa: N802
        """Do nothing. The broker sends the tasks of lost workers again, so none is ever missing."""

    def recvFuture(self) -> Iterator[Any]:  # noqa: N802
        """Yield all futures that have arrived."""
        while self._connection.poll(0):
            yield pickle.loads(self._connection.recv_bytes())

    def _poll(self, milliseconds: int) -> None:
        self._connection.poll(milliseconds / 1000)

    def shutdown(self) -> None:
        """Do nothing. The broker ends the workers."""


def _pickled(future: Any, **changes: Any) -> bytes:
    sent = copy.copy(future)
    vars(sent).update(changes, greenlet=None)
    return pickle.dumps(sent, pickle.HIGHEST_PROTOCOL)
