"""Worker processes on this machine. They are started again if they end, and end with the main process."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any

from fooldeap.errors import RunError

RESTARTS = 3  # of each worker
END_SECONDS = 5.0  # within which a thread must end after its worker was killed


@dataclass(eq=False)
class Worker:
    """A worker process, connected by a pair of sockets that no other process can open.

    The kernel ends it when its standard input is closed, see `_worker`.
    """

    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"
    ready: bool = False

    def kill(self) -> None:
        """Kill the process and those that it has started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Workers(ABC):
    """Processes that call ``function`` with a connection and ``settings``. Each has a thread in this process.

    A model in a worker computes with ``threads`` threads.

    Attributes
    ----------
    failure : why the run cannot continue, or an empty text
    left : number of workers that run or will be started again
    output : a temporary file for the output of the workers
    """

    def __init__(self, count: int, threads: int, function: Callable[..., None], **settings: Any) -> None:
        self.failure, self.output = "", tempfile.TemporaryFile()  # noqa: SIM115 - closed with the workers
        self.left = count
        self._count, self._settings, self._closed = count, (threads, function, settings), False
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._starting, self._running = threading.Lock(), list[Worker]()
        self._keepers = [threading.Thread(target=self._keep, daemon=True, name="keeper") for _ in range(count)]

    def start(self) -> None:
        """Start the processes."""
        for each in self._keepers:
            each.start()

    def check(self) -> None:
        """Raise an error if the run cannot continue."""
        if self.failure:
            raise RunError(self.failure)

    def last_output(self) -> str:
        """Return the last line of the output of the workers."""
        size = os.fstat(self.output.fileno()).st_size
        lines = os.pread(self.output.fileno(), 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "none")

    def close(self) -> str:
        """End all workers, and return their output."""
        with self._starting:
            self._closed = True
        for worker in list(self._running):
            worker.kill()
        for each in self._keepers:
            if each.is_alive():
                each.join(END_SECONDS)
        with self.output:
            self.output.seek(0)
            return self.output.read().decode(errors="replace")

    @abstractmethod
    def serve(self, worker: Worker) -> None:
        """Exchange messages with a worker until it ends."""

    @abstractmethod
    def give_up(self) -> None:
        """Handle the end of a worker that is not started again."""

    def _keep(self) -> None:
        try:
            for _ in range(1 + RESTARTS):
                with self._starting:
                    if self._closed:
                        return
                    worker = self._start()
                with contextlib.suppress(EOFError, OSError):  # it has ended
                    worker.connection.send(self._settings)
                    self.serve(worker)
                self._end(worker)
        except Exception as error:
            self.failure = f"a worker cannot be kept ({type(error).__name__}: {error})"
        if not self._closed:
            with self._starting:
                self.left -= 1
            self.give_up()

    def _start(self) -> Worker:
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(
                # -P: import nothing from the current folder
                [sys.executable, "-P", "-m", "fooldeap_plugins.executor._worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=self.output,
                stderr=self.output,
                env=self._environment,
                start_new_session=True,  # so that Ctrl-C reaches only the main process
            )
        self._running.append(Worker(process, ours))
        return self._running[-1]

    def _end(self, worker: Worker) -> None:
        worker.kill()
        worker.process.communicate()  # closes its standard input
        worker.connection.close()
        self._running.remove(worker)
