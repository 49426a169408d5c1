"""The broker between SCOOP in the main process and SCOOP in workers."""

import os
import threading
import time
import warnings
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from fooldeap.errors import FooldeapWarning, RunError

from ._calls import preload
from ._scoop import REQUEST, RESULT, TASK, connect, futures
from ._workers import Worker, Workers

FAILURE = "failure"  # a kind of message, in addition to those of `_scoop`
READY_SECONDS = 180.0  # within which the first worker must be ready


class Broker(Workers):
    """Gives tasks to processes that request one, and the tasks of lost workers to others.

    For the main process, the broker has the methods of a connection.

    Attributes
    ----------
    sent_again : number of tasks that were given away a second time because their worker was lost
    was_ready : whether a worker was ever ready
    """

    def __init__(self, count: int, threads: int, work: bytes) -> None:
        super().__init__(count, threads, run_worker, work=work)
        self.sent_again, self.was_ready = 0, False
        self._late = time.monotonic() + READY_SECONDS if count else float("inf")
        self._tasks: deque[bytes] = deque()  # they wait for a process
        self._to_root: deque[bytes] = deque()
        self._idle, self._root_is_idle = 0, False  # the number of workers that wait for a task
        lock = threading.Lock()
        self._task_waits, self._root_may_go_on = threading.Condition(lock), threading.Condition(lock)

    @property
    def all_ready(self) -> bool:
        """Whether all workers are ready."""
        return len(self._running) == self._count and all(worker.ready for worker in self._running)

    def send(self, message: tuple[str, bytes]) -> None:
        """Handle a message of the root: a task or a request."""
        kind, content = message
        with self._task_waits:
            if kind == TASK:
                self._tasks.append(content)
                self._task_waits.notify()
            else:
                self._root_is_idle = True

    def poll(self, seconds: float) -> bool:
        """Return whether a message for the root arrives in time."""
        with self._root_may_go_on:
            arrived = self._root_may_go_on.wait_for(self._give_to_root, seconds)
        self.check()
        return arrived

    def recv_bytes(self) -> bytes:
        """Return the next message for the root, after `poll`."""
        return self._to_root.popleft()

    def check(self) -> None:
        """Raise an error if the run cannot continue."""
        super().check()
        if time.monotonic() > self._late and not self.was_ready:
            raise RunError(f"no worker was ready after {READY_SECONDS:.0f} s; last output: {self.last_output()}")

    def close(self) -> str:
        """End all workers, and return their output."""
        self._closed = True
        with self._task_waits:
            self._task_waits.notify_all()
        return super().close()

    def serve(self, worker: Worker) -> None:
        """Exchange messages with a worker until it ends. Then take back its task."""
        task = None
        try:
            while not self._closed:
                kind, content = worker.connection.recv()
                worker.ready = self.was_ready = True
                if kind == REQUEST:
                    task = self._next_task(worker)
                    worker.connection.send_bytes(task)
                    continue
                with self._root_may_go_on:
                    if kind == RESULT:
                        task = None
                        self._to_root.append(content)
                    else:
                        nested = "a plugin in a worker used SCOOP, which only the main process can do"
                        self.failure = self.failure or (content.decode() if kind == FAILURE else nested)
                    self._root_may_go_on.notify()
        finally:
            if task is not None:
                with self._task_waits:
                    self.sent_again += 1
                    self._tasks.appendleft(task)
                    self._task_waits.notify()
                    self._root_may_go_on.notify()

    def give_up(self) -> None:
        """Warn that a worker has ended for good. If none was ever ready, make the run fail."""
        problem = "one of them ended repeatedly" if self.was_ready else "they did not start"
        text = f"workers: {problem}; last output: {self.last_output()}"
        if self.was_ready:
            warnings.warn(f"{text}; the run continues", FooldeapWarning, stacklevel=1)
        else:
            self.failure = self.failure or text

    def _next_task(self, worker: Worker) -> bytes:
        """Wait for a task for a worker."""
        with self._task_waits:
            self._idle += 1
            try:
                while not self._task_waits.wait_for(lambda: self._tasks or self._closed, 1.0):
                    if worker.process.poll() is not None:
                        raise EOFError
            finally:
                self._idle -= 1
            if self._closed:
                raise EOFError
            return self._tasks.popleft()

    def _give_to_root(self) -> bool:
        """Give the root a task that it requested, if no idle worker could do it. Return whether there is a message."""
        if self._root_is_idle and len(self._tasks) > self._idle:
            self._root_is_idle = False
            self._to_root.append(self._tasks.popleft())
        return bool(self._to_root or self.failure)


def run_worker(connection: "Connection[Any, Any]", work: bytes) -> None:
    """Load the experiment in a worker, then process tasks until the process ends."""
    from fooldeap.engine import timeout

    def report_and_exit(message: str) -> None:
        connection.send((FAILURE, f"{message} (in the worker process {os.getpid()})".encode()))
        os._exit(1)

    timeout.last_resort = report_and_exit
    preload(work)
    connect(connection, root=False)
    futures._startup(None)
