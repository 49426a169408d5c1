"""The pool: SCOOP's broker in a thread, this process as its root, and foremen with workers, watched."""

import base64
import logging
import os
import pickle
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from fooldeap.errors import InputError, RunError

from ._calls import Call, unfailed
from ._folder import PrivateFolder
from ._foreman import PATIENCE, Foreman
from ._hosts import Host
from ._root import Root
from ._scoop import Broker, Sockets, connect, disconnect, futures

_open: "list[Pool]" = []  # SCOOP's state is the process's: there can be one pool at a time


class Pool:
    """Processes that do tasks for this one."""

    def __init__(self, work: Any, hosts: Sequence[Host], ssh: str, python: str | None) -> None:
        payload = pickle.dumps(work)
        for other in list(_open):
            if other.thread is not threading.current_thread():
                raise InputError("another thread evaluates by SCOOP already; there can be one such run in a process")
            other.close()
        self.thread: threading.Thread = threading.current_thread()
        self.closed = False
        self.sent_again = 0
        self._begun = time.monotonic()
        self._failure = ""
        self._foremen: list[Foreman] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the pool
        self._folder = PrivateFolder()
        sockets = Sockets(f"{self._folder.name}/")
        self._broker = Broker(sockets, _logger())
        self._broker_thread = threading.Thread(target=self._run_broker, name="scoop-broker", daemon=True)
        self._broker_thread.start()
        size = 1 + sum(host.workers for host in hosts)
        address = connect(sockets, size, log=_logger())
        self._broker.available_workers.root = address.encode()
        self._root = Root(self._check)
        _open.append(self)
        sockets = sockets._replace(root=int(address.rpartition(":")[2]))
        try:
            for machine, host in enumerate(hosts):
                theirs = sockets if host.local else _elsewhere(sockets)
                command = host.command(_tunnels(theirs, sockets), ssh, python)
                self._foremen.append(Foreman(self, host, command, _settings(payload, host, machine, theirs, size)))
        except BaseException:
            self.close()
            raise

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order. An error in one is raised here."""
        self._check()
        return unfailed(self._root.map(Call(function), list(items)))

    def wait(self) -> None:
        """Wait until all workers are ready."""
        while not all(foreman.ready for foreman in self._foremen):
            self._check()
            time.sleep(0.01)

    def complaints(self) -> list[str]:
        """Return a line for each host whose workers did nothing."""
        return [foreman.never_ready for foreman in self._foremen if foreman.never_ready]

    def lost(self, address: str) -> None:
        """Take note of a worker that is gone, and of the tasks that it had."""
        self.sent_again += len(self._broker.assigned_tasks.get(address.encode(), ()))
        self._broker.lost.add(address.encode())

    def failed(self, message: str) -> None:
        """Have the next map raise that a machine cannot be used."""
        self._failure = self._failure or message

    def close(self) -> str:
        """End all processes, and return what they said."""
        if self.closed:
            return ""
        self.closed = True
        _open.remove(self)
        self._root.close()
        disconnect()
        for foreman in self._foremen:
            foreman.dismiss()
        for foreman in self._foremen:
            foreman.wait()
        self._broker_thread.join(PATIENCE)
        self._folder.remove()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        self._log.close()
        return said

    @property
    def log(self) -> Any:
        """The file that takes what others say."""
        return self._log

    def last_words(self) -> str:
        """Return the last line that the others said."""
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _check(self) -> None:
        for foreman in self._foremen:
            foreman.check(time.monotonic() - self._begun)
        if self._failure:
            raise RunError(self._failure)

    def _run_broker(self) -> None:
        try:
            self._broker.run()
        except Exception as error:
            if not self.closed:
                self.failed(f"SCOOP's broker failed ({type(error).__name__}: {error})")


class Launched:
    """The pool that SCOOP's own launcher started, whose root this process is. It ends by itself."""

    closed = False
    sent_again = 0  # SCOOP's launcher does not tell

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order. An error in one is raised here."""
        return unfailed(futures.map(Call(function, self._threads), list(items)))

    def wait(self) -> None:
        """Do nothing: the launcher waited."""

    def complaints(self) -> list[str]:
        """Return nothing: all are here from the start."""
        return []

    def close(self) -> str:
        """Do nothing: the launcher will."""
        return ""


def _elsewhere(sockets: Sockets) -> Sockets:
    """Return sockets for another machine, where nobody makes a folder before ssh makes them, for its user alone."""
    return sockets._replace(beginning=f"/tmp/fooldeap-{secrets.token_hex(16)}-")


def _tunnels(there: Sockets, here: Sockets) -> list[str]:
    """Return, as ssh wants it, which socket on another machine leads to which one here."""
    return [f"{there.beginning}{number}:{here.beginning}{number}" for number in here.numbers]


def _settings(payload: bytes, host: Host, machine: int, sockets: Sockets, size: int) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) // (host.workers + 1) if host.local else 1
    return {
        "count": host.workers,
        "machine": machine,
        "sockets": sockets,
        "size": size,
        "threads": max(1, cores),
        "work": base64.b64encode(payload).decode(),
    }


def _logger() -> logging.Logger:
    """Return the logger that SCOOP gets; what it says of tasks that it sends again is nobody's concern."""
    logger = logging.getLogger("fooldeap.scoop")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
