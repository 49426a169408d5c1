"""The pool: SCOOP's root task in this process, and workers."""

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from greenlet import GreenletExit, getcurrent

from fooldeap.errors import InputError

from ._broker import Broker
from ._calls import Call, in_order
from ._scoop import connect, control, disconnect, futures

_open_pools: "list[Pool]" = []  # at most one, because SCOOP's state is global in the process


class _CancelMap(BaseException):
    """Cancels the current `map`: its remaining results are not needed."""


class Pool:
    """The main process and ``count`` workers, which load ``work``. Each one computes with ``threads`` threads.

    SCOOP's root task is entered to map a function, and left with each result. So the rest of this process does not run
    inside SCOOP, and can raise errors and be interrupted as usual.
    """

    def __init__(self, work: Any, count: int, threads: int) -> None:
        payload = pickle.dumps(work)
        for other in list(_open_pools):
            if other.thread is not threading.current_thread():
                raise InputError(
                    "executor: another thread of this process uses SCOOP, which allows one run per process; "
                    "wait for that run, or use the executor 'serial'"
                )
            other.close()
        self.thread: threading.Thread = threading.current_thread()
        self.closed, self._is_mapping = False, False
        self.broker = Broker(count, threads, payload)
        self.broker.start()
        connect(self.broker, root=True, alone=not count)
        self._caller = getcurrent()
        futures._startup(self._serve)  # returns when the task switches back for the first time
        self._task = control.current.greenlet
        _open_pools.append(self)

    def map(self, function: Callable[..., Any], items: list[Any]) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order.

        If a worker fails, its error is raised in this process.
        """
        self.broker.check()
        if self._is_mapping:
            self._enter(_CancelMap())
        outcome = self._enter((Call(function), items))
        while True:
            self._is_mapping = isinstance(outcome, tuple) and bool(outcome)
            if isinstance(outcome, BaseException):
                raise outcome
            if not outcome:
                return
            yield outcome[0]
            outcome = self._enter(None)

    def wait(self) -> None:
        """Wait until all workers are ready."""
        while not self.broker.all_ready:
            self.broker.check()
            time.sleep(0.01)

    def close(self) -> str:
        """End all workers and return their output."""
        if self.closed:
            return ""
        self.closed = True
        _open_pools.remove(self)
        for each in (self._task, futures._controller):
            if not each.dead:
                each.parent = getcurrent()
                each.throw(GreenletExit)
        disconnect()
        return self.broker.close()

    def _enter(self, message: Any) -> Any:
        """Continue the task and return its next outcome.

        The outcome is a result in a tuple, an empty tuple at the end, or an error.
        """
        self._caller = getcurrent()
        futures._controller.parent = self._caller  # receives an interrupt while SCOOP waits
        return self._task.throw(message) if isinstance(message, _CancelMap) else self._task.switch(message)

    def _serve(self) -> None:
        outcome: Any = ()
        while True:
            function, items = self._caller.switch(outcome)
            outcome = ()
            try:
                tasks = futures._mapFuture(function, items)
                for result in in_order((each.index, each.resultValue) for each in futures.as_completed(tasks)):
                    self._caller.switch((result,))
            except GreenletExit:
                raise
            except _CancelMap:
                pass
            except BaseException as error:
                outcome = error
