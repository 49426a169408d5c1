"""SCOOP without its launcher: this process connected to a broker, by unix sockets that no other user can reach.

What SCOOP sends are pickles: whoever can connect can run code. SCOOP knows sockets by host and port; here ports are
numbers of files, see `Sockets`.

SCOOP 0.7.2 is pinned: this rests on its internals (``scoop._control``, ``scoop._comm``, ``scoop.broker``), which have
been the same since 2022. What is changed, and why, stands at each place.
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

# At import SCOOP looks up this machine's name, for its launcher: it may wait for that, and complains on the screen.
with contextlib.redirect_stderr(io.StringIO()), mock.patch("socket.gethostbyname_ex", side_effect=socket.gaierror):
    import scoop
    from scoop import _control as control
    from scoop import futures
    from scoop._comm import scoopzmq
    from scoop._types import Future, FutureQueue
    from scoop.broker import brokerzmq
    from scoop.broker.structs import BrokerInfo

__all__ = ["Broker", "Sockets", "connect", "control", "disconnect", "futures", "work_for_ever"]

HERE = "127.0.0.1"  # a host for SCOOP to look up; nothing goes there
TASK, INFO = 1, 2  # the broker's


class Sockets(NamedTuple):
    """Where the sockets are: files whose names are a common beginning and a number, the root's own the last."""

    beginning: str
    root: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all of them."""
        return TASK, INFO, self.root

    def address(self, number: int | str) -> str:
        """Return the address of one as ZeroMQ wants it."""
        return f"ipc://{self.beginning}{number}"


def connect(sockets: Sockets, size: int, *, name: str | None = None, log: logging.Logger | None = None) -> str:
    """Make this process a worker of that ``name``, or without one the root, and return its address.

    Its task queue is made here, so that SCOOP does not take over ``sys.excepthook``.
    """
    scoop.IS_RUNNING, scoop.IS_ORIGIN, scoop.SHUTDOWN_REQUESTED = True, name is None, False
    scoop.BROKER = BrokerInfo(HERE, TASK, INFO, name or HERE)
    scoop.SIZE, scoop.MAIN_MODULE = size, "fooldeap"
    scoop.CONFIGURATION = {"headless": False, "backend": "ZMQ"}
    scoop.logger = log or logging.getLogger("fooldeap.scoop")
    # Reports would go out from a second thread over the same socket, which ZeroMQ does not bear. The broker learns
    # from the pool itself who is gone.
    scoopzmq.ZMQCommunicator._reportFutures = lambda _: None
    scoopzmq.ZMQCommunicator.createZMQSocket = _local_socket
    _LocalSocket.sockets, _LocalSocket.binds = sockets, name is None
    Future.rank = itertools.count()  # the root is known by its number, 0, in every pool of a process
    control.execQueue = FutureQueue()
    address: str = scoop.worker.decode()
    return address


def work_for_ever() -> None:
    """Do what comes, until the pool ends."""
    futures._startup(None)


def disconnect() -> None:
    """Leave the pool, of which this is the root: it ends. SCOOP may be started again in this process."""
    control.execQueue.shutdown()
    control.execQueue, futures._controller = None, None
    control.futureDict.clear()
    scoop.IS_RUNNING = False
    sys.modules.pop("SCOOP_WORKER", None)


class _LocalSocket(zmq.Socket[bytes]):
    """A socket that takes SCOOP's addresses, ``tcp://HOST:PORT``, for those of files."""

    sockets: ClassVar[Sockets]
    binds: ClassVar[bool]

    def __del__(self) -> None:
        self.close()  # SCOOP calls this to close; pyzmq would warn that nobody did before

    def bind(self, address: str) -> Any:
        """Listen, in the root; nobody ever connects to a worker."""
        return super().bind(self._file(address)) if self.binds else None

    def connect(self, address: str) -> Any:
        """Connect."""
        return super().connect(self._file(address))

    def _file(self, address: str) -> str:
        return self.sockets.address(address.rpartition(":")[2])


def _local_socket(communicator: Any, kind: int) -> "zmq.Socket[bytes]":
    """As ``ZMQCommunicator.createZMQSocket``, but of a kind that listens to nobody else."""
    made = communicator.ZMQcontext.socket(kind, socket_class=_LocalSocket)
    for option, value in ((zmq.LINGER, 1000), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.IMMEDIATE, 1)):
        made.setsockopt(option, value)
    if kind == zmq.ROUTER:
        made.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return made  # type: ignore[no-any-return]


class Broker(brokerzmq.Broker):  # type: ignore[misc]
    """SCOOP's broker, on unix sockets, that outlives its workers.

    It is told who is ``lost``: their tasks are lost track of, so that the root sends them again. (SCOOP would forget
    the tasks of everybody who has not reported for a minute, the first 25 s after the start of all.) Whoever has more
    tasks than one gives the others back, and has them no longer. (SCOOP would take it to have them for ever, and so
    never miss them when the next who has them is lost.)
    """

    def __init__(self, sockets: Sockets, log: logging.Logger) -> None:
        initialise, brokerzmq.utils.initLogging = brokerzmq.utils.initLogging, lambda *_, **__: log
        try:  # it would disable every logger in this process, and log to the screen
            super().__init__(sockets.address(TASK), sockets.address(INFO))
        finally:
            brokerzmq.utils.initLogging = initialise
        self.lost: set[bytes] = set()
        self.available_workers = _Idle(self.lost)
        self.task_socket: Any = _TaskSocket(self.task_socket, self)

    def pruneAssignedTasks(self) -> None:  # noqa: N802 - SCOOP's name
        for address in tuple(self.lost):  # the pool's thread may add to it
            self.assigned_tasks.pop(address, None)

    def takes_back(self, address: bytes, task: bytes) -> None:
        """Take note that a task comes from ``address``, which may have had it from here."""
        if address in self.assigned_tasks:
            self.assigned_tasks[address].discard(task)


class _Idle(deque[bytes]):
    """Who waits for a task. The root comes last: what it asked for in one batch must not keep the next from others."""

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
    """The broker's socket, which a message for a dead worker does not stop, and no worker can have the pool closed."""

    def __init__(self, socket: Any, broker: Broker) -> None:
        self._socket, self._broker = socket, broker

    def poll(self, timeout: int) -> Any:
        return self._socket.poll(timeout)

    def recv_multipart(self) -> list[bytes]:
        while True:
            message: list[bytes] = self._socket.recv_multipart()
            if message[1] == brokerzmq.TASK:
                self._broker.takes_back(message[0], message[2])
            if message[1] != brokerzmq.SHUTDOWN or message[0] == self._broker.available_workers.root:
                return message

    def send_multipart(self, message: list[bytes]) -> None:
        try:
            self._socket.send_multipart(message)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._broker.lost.add(message[0])
