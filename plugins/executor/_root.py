"""SCOOP's root task in this process, as an object with a method `map`."""

from collections.abc import Callable, Iterator
from typing import Any

from greenlet import GreenletExit, getcurrent

from ._calls import Failure
from ._scoop import control, futures


class _CancelMap(BaseException):
    """Cancels the current `map`: its remaining results are not needed."""


class Root:
    """SCOOP's root task. It is entered to map a function, and left with each result.

    So the rest of this process does not run inside SCOOP, and can raise errors and be interrupted as usual.
    """

    def __init__(self) -> None:
        self._caller = getcurrent()
        self._active = False
        futures._startup(self._serve)  # returns when the task switches back for the first time
        self._task = control.current.greenlet

    def map(self, function: Callable[..., Any], items: list[Any]) -> Iterator[Any]:
        """Yield the results in order, each as soon as those before it are available.

        If a failure arrives, it is yielded immediately, as the last result.
        """
        if self._active:
            self._enter(_CancelMap())
        outcome = self._enter((function, items))
        while True:
            self._active = isinstance(outcome, tuple) and bool(outcome)
            if isinstance(outcome, BaseException):
                raise outcome
            if not outcome:
                return
            yield outcome[0]
            outcome = self._enter(None)

    def close(self) -> None:
        """End the task."""
        for each in (self._task, futures._controller):
            if not each.dead:
                each.parent = getcurrent()
                each.throw(GreenletExit)

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
                for result in _collect_results(function, items):
                    self._caller.switch((result,))
            except GreenletExit:
                raise
            except _CancelMap:
                pass
            except BaseException as error:
                outcome = error


def _collect_results(function: Callable[..., Any], items: list[Any]) -> Iterator[Any]:
    """Yield the results in order.

    End with the first failure, wherever it is, without waiting for the other tasks.
    """
    tasks, ended = futures._mapFuture(function, items), set()
    index = 0
    for task in futures.as_completed(tasks):
        if isinstance(task.resultValue, Failure):
            yield task.resultValue
            return
        ended.add(id(task))
        while index < len(tasks) and id(tasks[index]) in ended:
            yield tasks[index].resultValue
            index += 1
