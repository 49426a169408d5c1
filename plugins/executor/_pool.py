"""The pool: SCOOP's broker in a thread, this process as SCOOP's root, and supervisors with workers."""

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
from fooldeap.lazy_tensorflow import usable_cores

from ._calls import Call, raise_failures
from ._folder import PrivateFolder
from ._hosts import Host
from ._root import Root
from ._scoop import Broker, Sockets, connect, disconnect, futures
from ._supervisor import END_SECONDS, Supervisor

_open_pools: "list[Pool]" = []  # at most one, because SCOOP's state is global in the process


class Pool:
    """Processes that evaluate for this process."""

    def __init__(self, work: Any, hosts: Sequence[Host], ssh: str, python: str | None) -> None:
        payload = pickle.dumps(work)
        for other in list(_open_pools):
            if other.thread is not threading.current_thread():
                raise InputError(
                    "executor: another thread of this process uses SCOOP, which allows one run per process; "
                    "wait for that run, or use the executor 'serial'"
                )
            other.close()
        self.thread: threading.Thread = threading.current_thread()
        self.closed = False
        self.sent_again = 0
        self._begun = time.monotonic()
        self._failure = ""
        self._supervisors: list[Supervisor] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the pool
        self._folder = PrivateFolder()
        sockets = Sockets(f"{self._folder.name}/")
        self._broker = Broker(sockets, _get_logger())
        self._broker_thread = threading.Thread(target=self._run_broker, name="scoop-broker", daemon=True)
        self._broker_thread.start()
        size = 1 + sum(host.workers for host in hosts)
        address = connect(sockets, size, log=_get_logger())
        self._broker.available_workers.root = address.encode()
        self._root = Root(self._check)
        _open_pools.append(self)
        sockets = sockets._replace(root=int(address.rpartition(":")[2]))
        try:
            for machine, host in enumerate(hosts):
                host_sockets = sockets if host.local else _remote_sockets(sockets)
                command = host.command(_list_tunnels(host_sockets, sockets), ssh, python)
                self._supervisors.append(
                    Supervisor(self, host, command, _worker_settings(payload, host, machine, host_sockets, size))
                )
        except BaseException:
            self.close()
            raise

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order.

        If a worker fails, its error is raised in this process.
        """
        self._check()
        return raise_failures(self._root.map(Call(function), list(items)))

    def wait(self) -> None:
        """Wait until all workers are ready."""
        while not all(supervisor.ready for supervisor in self._supervisors):
            self._check()
            time.sleep(0.01)

    def complaints(self) -> list[str]:
        """Return a warning for each host whose workers did nothing."""
        return [supervisor.idle_warning for supervisor in self._supervisors if supervisor.idle_warning]

    def handle_lost_worker(self, address: str) -> None:
        """Handle the loss of a worker: its tasks are sent again."""
        self.sent_again += len(self._broker.assigned_tasks.get(address.encode(), ()))
        self._broker.lost.add(address.encode())

    def fail(self, message: str) -> None:
        """Make the next call of `map` fail because a host cannot be used."""
        self._failure = self._failure or message

    def close(self) -> str:
        """End all processes and return their output."""
        if self.closed:
            return ""
        self.closed = True
        _open_pools.remove(self)
        self._root.close()
        disconnect()
        for supervisor in self._supervisors:
            supervisor.stop()
        for supervisor in self._supervisors:
            supervisor.wait()
        self._broker_thread.join(END_SECONDS)
        self._folder.remove()
        self._log.seek(0)
        output = self._log.read().decode(errors="replace")
        self._log.close()
        return output

    @property
    def log(self) -> Any:
        """The file for the output of other processes."""
        return self._log

    def last_line(self) -> str:
        """Return the last line of the output of other processes."""
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "none")

    def _check(self) -> None:
        for supervisor in self._supervisors:
            supervisor.check(time.monotonic() - self._begun)
        if self._failure:
            raise RunError(self._failure)

    def _run_broker(self) -> None:
        try:
            self._broker.run()
        except Exception as error:
            if not self.closed:
                self.fail(f"SCOOP's broker failed ({type(error).__name__}: {error})")


class LaunchedPool:
    """The pool that SCOOP's own launcher started, with this process as its root. The launcher ends it."""

    closed = False
    sent_again = 0  # unknown with SCOOP's launcher

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order.

        If a worker fails, its error is raised in this process.
        """
        return raise_failures(futures.map(Call(function, self._threads), list(items)))

    def wait(self) -> None:
        """Do nothing. The launcher has waited for the workers."""

    def complaints(self) -> list[str]:
        """Return no warnings. The workers are ready from the start."""
        return []

    def close(self) -> str:
        """Do nothing. The launcher ends the workers."""
        return ""


def _remote_sockets(sockets: Sockets) -> Sockets:
    """Return the sockets on another machine.

    They have no private folder. ssh creates them for its user only, and their names are random.
    """
    return sockets._replace(beginning=f"/tmp/fooldeap-{secrets.token_hex(16)}-")


def _list_tunnels(remote: Sockets, local: Sockets) -> list[str]:
    """Return the forwardings from ``remote`` to ``local`` sockets, in the format of ``ssh -R``."""
    return [f"{remote.beginning}{number}:{local.beginning}{number}" for number in local.numbers]


def _worker_settings(payload: bytes, host: Host, machine: int, sockets: Sockets, size: int) -> dict[str, Any]:
    cores = usable_cores() // (host.workers + 1) if host.local else 1
    return {
        "count": host.workers,
        "machine": machine,
        "sockets": sockets,
        "size": size,
        "threads": max(1, cores),
        "work": base64.b64encode(payload).decode(),
    }


def _get_logger() -> logging.Logger:
    """Return the logger for SCOOP. Its messages about tasks that are sent again are discarded."""
    logger = logging.getLogger("fooldeap.scoop")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
