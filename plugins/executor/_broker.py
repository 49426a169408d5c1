"""The broker: a thread of the main process that starts workers and distributes tasks to them."""

import contextlib
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any

from fooldeap.errors import FooldeapWarning

TASK, REQUEST, RESULT, FAILURE = "task", "request", "result", "failure"  # kinds of messages
RESTARTS = 3  # of each worker
END_SECONDS = 5.0  # within which the broker must end


@dataclass(eq=False)
class Worker:
    """A worker process, connected by a pair of sockets that no other process can open."""

    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"
    restarts: int
    ready: bool = False
    tasks: dict[bytes, bytes] = field(default_factory=dict)  # by number; it has not returned their results

    def kill(self) -> None:
        """Kill the process and those that it has started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Broker(threading.Thread):
    """Gives tasks to processes that request one. Restarts lost workers, and gives their tasks to others.

    Linux kills the workers when this thread ends, see `_worker`.

    Attributes
    ----------
    sent_again : number of tasks that were given away a second time because their worker was lost
    was_ready : whether a worker was ever ready
    failure : why the run cannot continue, or an empty text
    """

    def __init__(self, count: int, settings: dict[str, Any]) -> None:
        super().__init__(name="scoop-broker", daemon=True)
        self.sent_again, self.was_ready, self.failure = 0, False, ""
        self._count, self._settings, self._closed = count, settings, False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the broker; the output of the workers
        self._workers: list[Worker] = []
        self._idle: deque[Worker | None] = deque()  # workers that wait for a task
        self._root_is_idle = False
        self._tasks: deque[tuple[bytes, bytes]] = deque()  # numbers and contents of tasks that wait for a process
        self._from_root: deque[tuple[str, bytes, bytes]] = deque()
        self._to_root: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waking, self._wake = Pipe(duplex=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waking, selectors.EVENT_READ)

    @property
    def all_ready(self) -> bool:
        """Whether all workers are ready."""
        return len(self._workers) == self._count and all(worker.ready for worker in self._workers)

    def send(self, kind: str, number: bytes = b"", content: bytes = b"") -> None:
        """Send a message from the root."""
        self._from_root.append((kind, number, content))
        self._wake.send_bytes(b"")

    def receive(self, seconds: float) -> bytes | None:
        """Return the next future for the root, or None if none arrives in time."""
        try:
            return self._to_root.get(timeout=seconds) if seconds else self._to_root.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> str:
        """End the thread and all workers, and return the output of the workers."""
        self._closed = True
        self._wake.send_bytes(b"")
        for worker in list(self._workers):
            worker.kill()  # the thread may be waiting for it
        self.join(END_SECONDS)
        self._log.seek(0)
        output = self._log.read().decode(errors="replace")
        for each in (self._log, self._selector, self._waking, self._wake):
            each.close()
        return output

    def last_output(self) -> str:
        """Return the last line of the output of the workers."""
        size = os.fstat(self._log.fileno()).st_size
        lines = os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "none")

    def run(self) -> None:
        """Start the workers, then handle messages until the pool is closed."""
        try:
            for _ in range(self._count):
                self._start_worker(0)
            while not self._closed:
                for key, _ in self._selector.select():
                    self._read(key.data)
                self._give_tasks()
        except Exception as error:
            self.failure = f"SCOOP's broker failed ({type(error).__name__}: {error})"
        finally:
            for worker in self._workers:
                worker.kill()
                worker.process.wait()
                worker.connection.close()

    def _start_worker(self, restarts: int) -> None:
        if self._closed:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                # -P: import nothing from the current folder
                [sys.executable, "-P", "-m", "fooldeap_plugins.executor._worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # so that Ctrl-C reaches only the main process
            )
        worker = Worker(process, Connection(ours.detach()), restarts)
        self._workers.append(worker)
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        with contextlib.suppress(OSError):  # it has ended; `_read` notices it
            worker.connection.send(self._settings)

    def _read(self, worker: Worker | None) -> None:
        if worker is None:
            self._waking.recv_bytes()
            if self._from_root:
                self._handle(None, *self._from_root.popleft())
            return
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
        else:
            self._handle(worker, *message)

    def _handle(self, worker: Worker | None, kind: str, number: bytes, content: bytes) -> None:
        if worker is not None:
            worker.ready = self.was_ready = True
            worker.tasks.pop(number, None)
        if kind == TASK:  # a new one, or one that a process returns because it has another
            self._tasks.append((number, content))
        elif kind == RESULT:
            self._to_root.put(content)
        elif kind == FAILURE:
            self.failure = self.failure or content.decode()
        elif worker is None:
            self._root_is_idle = True
        else:
            self._idle.append(worker)

    def _replace(self, worker: Worker) -> None:
        """Take back the tasks of a lost worker, and restart it."""
        worker.kill()
        worker.process.wait()
        self._selector.unregister(worker.connection)
        worker.connection.close()
        self._workers.remove(worker)
        self._idle = deque(each for each in self._idle if each is not worker)
        self.sent_again += len(worker.tasks)
        self._tasks.extendleft(worker.tasks.items())
        if worker.restarts < RESTARTS:
            self._start_worker(worker.restarts + 1)
        elif not self._closed:
            self._report("one of them ended repeatedly" if self.was_ready else "they did not start")

    def _report(self, problem: str) -> None:
        """Warn that a worker has ended for good. If none was ever ready, make the run fail."""
        text = f"workers: {problem}; last output: {self.last_output()}"
        if self.was_ready:
            warnings.warn(f"{text}; the run continues", FooldeapWarning, stacklevel=1)
        else:
            self.failure = self.failure or text

    def _give_tasks(self) -> None:
        """Give tasks to processes that wait for one, to the root last, so that it takes none that a worker could do."""
        while self._tasks and (self._idle or self._root_is_idle):
            number, content = self._tasks.popleft()
            worker = self._idle.popleft() if self._idle else None
            if worker is None:
                self._root_is_idle = False
                self._to_root.put(content)
                continue
            worker.tasks[number] = content
            with contextlib.suppress(OSError):  # it has ended; `_read` notices it and takes the task back
                worker.connection.send_bytes(content)
