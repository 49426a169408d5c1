"""SCOOP without its launcher: this process is connected to a broker by unix sockets of this user.

SCOOP sends pickles, so anyone who can connect can run code. SCOOP identifies sockets by host and port. Here, ports are
the numbers of socket files; see `Sockets`.

SCOOP 0.7.2 is pinned, because this module uses its internals (``scoop._control``, ``scoop._comm``, ``scoop.broker``),
which have not changed since 2022. A comment explains each change to SCOOP.
"""

import contextlib
import io
import itertools
import logging
import socket
import sys
from collections import deque
from typing import Any, ClassVar, NamedTuple
from unittest import mock

import zmq

# When imported, SCOOP looks up the name of this machine for its launcher. This may block and print errors.
with contextlib.redirect_stderr(io.StringIO()), mock.patch("socket.gethostbyname_ex", side_effect=socket.gaierror):
    import scoop
    from scoop import _control as control
    from scoop import futures
    from scoop._comm import scoopzmq
    from scoop._types import Future, FutureQueue
    from scoop.broker import brokerzmq
    from scoop.broker.structs import BrokerInfo

__all__ = ["Broker", "Sockets", "connect", "control", "disconnect", "futures", "run_worker"]

HERE = "127.0.0.1"  # for SCOOP, which requires a host; nothing is sent there
TASK, INFO = 1, 2  # numbers of the broker's sockets


class Sockets(NamedTuple):
    """The paths of the sockets: a common beginning, followed by a number.

    The broker has two sockets, and the root has one.
    """

    beginning: str
    root: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all sockets."""
        return TASK, INFO, self.root

    def address(self, number: int | str) -> str:
        """Return the address of a socket in the format of ZeroMQ."""
        return f"ipc://{self.beginning}{number}"


def connect(sockets: Sockets, size: int, *, name: str | None = None, log: logging.Logger | None = None) -> str:
    """Connect this process to the broker, as a worker with a ``name`` or, without one, as the root.

    Return its address. The task queue is created here, so that SCOOP does not replace ``sys.excepthook``.
    """
    scoop.IS_RUNNING, scoop.IS_ORIGIN, scoop.SHUTDOWN_REQUESTED = True, name is None, False
    scoop.BROKER = BrokerInfo(HERE, TASK, INFO, name or HERE)
    scoop.SIZE, scoop.MAIN_MODULE = size, "fooldeap"
    scoop.CONFIGURATION = {"headless": False, "backend": "ZMQ"}
    scoop.logger = log or logging.getLogger("fooldeap.scoop")
    # SCOOP would send reports from a second thread over the same socket, which ZeroMQ does not allow. They are not
    # needed, because the pool tells the broker which workers are lost.
    scoopzmq.ZMQCommunicator._reportFutures = lambda _: None
    scoopzmq.ZMQCommunicator.createZMQSocket = _create_local_socket
    _LocalSocket.sockets, _LocalSocket.binds = sockets, name is None
    Future.rank = itertools.count()  # SCOOP identifies the root by the number 0, in each pool of this process
    control.execQueue = FutureQueue()
    address: str = scoop.worker.decode()
    return address


def run_worker() -> None:
    """Process tasks until the pool ends."""
    futures._startup(None)


def disconnect() -> None:
    """End the pool, whose root is this process. Afterwards SCOOP can be started again in this process."""
    control.execQueue.shutdown()
    control.execQueue, futures._controller = None, None
    control.futureDict.clear()
    scoop.IS_RUNNING = False
    sys.modules.pop("SCOOP_WORKER", None)


class _LocalSocket(zmq.Socket[bytes]):
    """A socket that translates SCOOP's addresses, ``tcp://HOST:PORT``, to socket files."""

    sockets: ClassVar[Sockets]
    binds: ClassVar[bool]

    def __del__(self) -> None:
        self.close()  # SCOOP relies on this; pyzmq would warn about an open socket

    def bind(self, address: str) -> Any:
        """Listen if this process is the root. Other processes do not connect to workers."""
        return super().bind(self._file(address)) if self.binds else None

    def connect(self, address: str) -> Any:
        """Connect to the socket file."""
        return super().connect(self._file(address))

    def _file(self, address: str) -> str:
        return self.sockets.address(address.rpartition(":")[2])


def _create_local_socket(communicator: Any, kind: int) -> "zmq.Socket[bytes]":
    """Replace ``ZMQCommunicator.createZMQSocket``, to create sockets that use files."""
    created = communicator.ZMQcontext.socket(kind, socket_class=_LocalSocket)
    for option, value in ((zmq.LINGER, 1000), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.IMMEDIATE, 1)):
        created.setsockopt(option, value)
    if kind == zmq.ROUTER:
        created.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return created  # type: ignore[no-any-return]


class Broker(brokerzmq.Broker):  # type: ignore[misc]
    """SCOOP's broker, on unix sockets, that handles the loss of workers.

    The pool adds lost workers to ``lost``. Their tasks are then forgotten, so that the root sends them again. The
    original broker forgets the tasks of workers that have not reported for a minute, even in the first 25 s, when no
    worker reports.

    A worker with several tasks returns all but one of them. This broker then no longer counts them as tasks of the
    worker. The original broker would, and so it would not notice that such a task is lost together with its next
    worker.
    """

    def __init__(self, sockets: Sockets, log: logging.Logger) -> None:
        original, brokerzmq.utils.initLogging = brokerzmq.utils.initLogging, lambda *_, **__: log
        try:  # SCOOP's initLogging would disable all loggers of this process and log to the terminal
            super().__init__(sockets.address(TASK), sockets.address(INFO))
        finally:
            brokerzmq.utils.initLogging = original
        self.lost: set[bytes] = set()
        self.available_workers = _IdleWorkers(self.lost)
        self.task_socket: Any = _TaskSocket(self.task_socket, self)

    def pruneAssignedTasks(self) -> None:  # noqa: N802 - SCOOP's name
        for address in tuple(self.lost):  # another thread may add to it
            self.assigned_tasks.pop(address, None)

    def mark_returned(self, address: bytes, task: bytes) -> None:
        """Record that ``address`` sent a task, which it may have received from this broker before."""
        if address in self.assigned_tasks:
            self.assigned_tasks[address].discard(task)


class _IdleWorkers(deque[bytes]):
    """The workers that wait for a task.

    The root comes last, so that it does not take a task that another worker could do.
    """

    def __init__(self, lost: set[bytes]) -> None:
        super().__init__()
        self.lost = lost
        self.root = b""
        self._root_waits = False

    def append(self, address: bytes) -> None:
        if address == self.root:
            self._root_waits = True
        else:
            super().append(address)

    def popleft(self) -> bytes:
        while self:
            address = super().popleft()
            if address not in self.lost:
                return address
        if not self._root_waits:
            raise IndexError
        self._root_waits = False
        return self.root


class _TaskSocket:
    """The broker's socket for tasks.

    A message to a dead worker raises no error, and only the root can shut down the pool.
    """

    def __init__(self, socket: Any, broker: Broker) -> None:
        self._socket, self._broker = socket, broker

    def poll(self, timeout: int) -> Any:
        return self._socket.poll(timeout)

    def recv_multipart(self) -> list[bytes]:
        while True:
            message: list[bytes] = self._socket.recv_multipart()
            if message[1] == brokerzmq.TASK:
                self._broker.mark_returned(message[0], message[2])
            if message[1] != brokerzmq.SHUTDOWN or message[0] == self._broker.available_workers.root:
                return message

    def send_multipart(self, message: list[bytes]) -> None:
        try:
            self._socket.send_multipart(message)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._broker.lost.add(message[0])
