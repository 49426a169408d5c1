"""The pool: SCOOP's broker in a thread, this process as its root, and foremen with workers, watched."""

import base64
import contextlib
import fcntl
import json
import logging
import os
import pickle
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from greenlet import GreenletExit, getcurrent

from fooldeap.errors import FooldeapWarning, InputError, RunError

from ._calls import Call, Failure, unfailed
from ._hosts import Host
from ._scoop import Broker, Sockets, connect, control, disconnect, futures

PATIENCE = 5.0  # seconds that a foreman has to end in
READY_SECONDS = 180.0  # that the workers of a host have to load everything
LONGEST_FOLDER = 70  # characters; the whole name of a socket may have 107
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
        self._foremen: list[_Foreman] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the pool
        self._folder = _PrivateFolder()
        sockets = Sockets(f"{self._folder.name}/")
        self._broker = Broker(sockets, _logger())
        self._broker_thread = threading.Thread(target=self._run_broker, name="scoop-broker", daemon=True)
        self._broker_thread.start()
        size = 1 + sum(host.workers for host in hosts)
        address = connect(sockets, size, log=_logger())
        self._broker.available_workers.root = address.encode()
        self._root = _Root(self._check)
        _open.append(self)
        sockets = sockets._replace(root=int(address.rpartition(":")[2]))
        try:
            for machine, host in enumerate(hosts):
                theirs = sockets if host.local else _elsewhere(sockets)
                command = host.command(_tunnels(theirs, sockets), ssh, python)
                self._foremen.append(_Foreman(self, host, command, _settings(payload, host, machine, theirs, size)))
        except BaseException:
            self.close()
            raise

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        """Return the results of ``function`` over ``items``, in order. An error in one is raised here."""
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
        if time.monotonic() > self._begun + READY_SECONDS:
            for foreman in self._foremen:
                foreman.fail_if_never_ready()
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

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        """Return the results of ``function`` over ``items``, in order. An error in one is raised here."""
        return unfailed(list(futures.map(Call(function, self._threads), list(items))))

    def wait(self) -> None:
        """Do nothing: the launcher waited."""

    def complaints(self) -> list[str]:
        """Return nothing: all are here from the start."""
        return []

    def close(self) -> str:
        """Do nothing: the launcher will."""
        return ""


class _Root:
    """SCOOP's root task, entered whenever something is to be mapped, and left with the results.

    So the rest of this process runs as it would without SCOOP, and is free to fail and to be interrupted.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._caller = getcurrent()
        self._watch(check)
        futures._startup(self._serve)  # returns when the task leaves for the first time
        self._task = control.current.greenlet

    def map(self, function: Callable[..., Any], items: list[Any]) -> list[Any]:
        self._caller = getcurrent()
        futures._controller.parent = self._caller  # where an interrupt goes that comes while SCOOP waits
        outcome = self._task.switch((function, items))
        if isinstance(outcome, BaseException):
            raise outcome
        results: list[Any] = outcome
        return results

    def close(self) -> None:
        for each in (self._task, futures._controller):
            if not each.dead:
                each.parent = getcurrent()
                each.throw(GreenletExit)

    def _serve(self) -> None:
        result: Any = None
        while True:
            function, items = self._caller.switch(result)
            try:
                result = _results(function, items)
            except GreenletExit:
                raise
            except BaseException as error:
                result = error

    @staticmethod
    def _watch(check: Callable[[], None]) -> None:
        """Look for what went wrong whenever SCOOP waits, at least every two seconds."""
        communicator = control.execQueue.socket
        poll = communicator._poll

        def watched(timeout: int) -> Any:
            check()
            return poll(timeout)

        communicator._poll = watched


def _results(function: Callable[..., Any], items: list[Any]) -> list[Any]:
    """Return the results in order, or up to the first failure: the others are not waited for."""
    tasks = futures._mapFuture(function, items)
    for task in futures.as_completed(tasks):
        if isinstance(task.resultValue, Failure):
            return [task.resultValue]
    return [task.resultValue for task in tasks]


class _Foreman:
    """A foreman's process, and a thread that listens to what it tells."""

    def __init__(self, pool: Pool, host: Host, command: list[str], settings: dict[str, Any]) -> None:
        self._pool, self._host = pool, host
        self._addresses: dict[int, str] = {}
        self._was_ready = self._given_up = False
        try:
            # A session of its own: Ctrl-C is for the root, which ends it by closing its standard input.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=pool.log, start_new_session=True
            )
        except OSError as error:
            raise RunError(f"{host.name}: {command[0]} cannot be started ({error.strerror})") from error
        self._listener = threading.Thread(target=self._listen, args=(settings,), daemon=True)
        self._listener.start()

    @property
    def ready(self) -> bool:
        """Whether all workers of the host are."""
        return len(self._addresses) >= self._host.workers

    def fail_if_never_ready(self) -> None:
        """Have the run fail where no worker got ready."""
        if not self._was_ready and not self._given_up:
            self._complain(f"was not ready after {READY_SECONDS:.0f} s")

    @property
    def never_ready(self) -> str:
        """Say so where no worker got ready until now."""
        idle = not self._was_ready and not self._given_up
        return f"workers on {self._host.name} were not ready before the end; others did all the work" if idle else ""

    def dismiss(self) -> None:
        """Have it end, and its workers with it."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it is gone already
                self._process.stdin.close()

    def wait(self) -> None:
        """Wait until it ended; end it by force where that takes too long."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers as well: it has a session of its own
            self._process.wait()
        self._listener.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self, settings: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # the end of its output tells
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            try:
                message = json.loads(line)
                self._hear(message)
            except (ValueError, KeyError, TypeError):
                os.write(self._pool.log.fileno(), line)  # not from us: what the other machine's shell has to say
        for address in self._addresses.values():
            self._pool.lost(address)
        if not self._pool.closed and not self._given_up:
            self._complain("lost its foreman" if self._was_ready else "did not start")

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._was_ready = True
            self._addresses[message["process"]] = message["ready"]
        elif "hangs" in message:
            self._pool.failed(str(message["hangs"]))
        elif message["gone"] in self._addresses:
            self._pool.lost(self._addresses.pop(message["gone"]))
            if not message["again"]:
                self._complain("ended again and again")
        elif not message["again"]:
            self._complain("did not start")

    def _complain(self, what: str) -> None:
        if self._pool.closed:
            return
        self._given_up = True
        text = f"workers on {self._host.name}: one {what}; the last that was said: {self._pool.last_words()}"
        if self._was_ready:
            warnings.warn(f"{text}; the run goes on without it", FooldeapWarning, stacklevel=1)
        else:
            self._pool.failed(text)


class _PrivateFolder:
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
