"""The pool: SCOOP's root in this process, and workers."""

import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fooldeap.errors import InputError, RunError

from ._broker import Broker
from ._calls import Call, raise_failures
from ._root import Root
from ._scoop import connect, disconnect

READY_SECONDS = 180.0  # within which the first worker must be ready

_open_pools: "list[Pool]" = []  # at most one, because SCOOP's state is global in the process


class Pool:
    """The main process and ``count`` workers, which load ``work``. Each one computes with ``threads`` threads."""

    def __init__(self, work: Any, count: int, threads: int) -> None:
        settings = {"work": pickle.dumps(work), "threads": threads}
        for other in list(_open_pools):
            if other.thread is not threading.current_thread():
                raise InputError(
                    "executor: another thread of this process uses SCOOP, which allows one run per process; "
                    "wait for that run, or use the executor 'serial'"
                )
            other.close()
        self.thread: threading.Thread = threading.current_thread()
        self.closed = False
        self._late = time.monotonic() + READY_SECONDS if count else float("inf")
        self.broker = Broker(count, settings)
        self.broker.start()
        connect(self.broker.send, self._receive, root=True, alone=not count)
        self._root = Root()
        _open_pools.append(self)

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order.

        If a worker fails, its error is raised in this process.
        """
        self._check()
        return raise_failures(self._root.map(Call(function), list(items)))

    def wait(self) -> None:
        """Wait until all workers are ready."""
        while not self.broker.all_ready:
            self._check()
            time.sleep(0.01)

    def close(self) -> str:
        """End all workers and return their output."""
        if self.closed:
            return ""
        self.closed = True
        _open_pools.remove(self)
        self._root.close()
        disconnect()
        return self.broker.close()

    def _receive(self, seconds: float) -> bytes | None:
        self._check()
        return self.broker.receive(seconds)

    def _check(self) -> None:
        """Raise an error if the run cannot continue."""
        if self.broker.failure:
            raise RunError(self.broker.failure)
        if time.monotonic() > self._late and not self.broker.was_ready:
            output = self.broker.last_output()
            raise RunError(f"no worker was ready after {READY_SECONDS:.0f} s; last output: {output}")
