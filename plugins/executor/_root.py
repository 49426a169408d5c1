"""SCOOP's root task in this process, as something that maps when it is asked to."""

from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent

from ._calls import Failure
from ._scoop import control, futures


class Root:
    """SCOOP's root task, entered whenever something is to be mapped, and left with the results.

    So the rest of this process runs as it would without SCOOP, and is free to fail and to be interrupted.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._caller = getcurrent()
        self._watch(check)
        futures._startup(self._serve)  # returns when the task leaves for the first time
        self._task = control.current.greenlet

    def map(self, function: Callable[..., Any], items: list[Any]) -> list[Any]:
        """Return the results in order, or up to the first failure; what goes wrong in SCOOP is raised here."""
        self._caller = getcurrent()
        futures._controller.parent = self._caller  # where an interrupt goes that comes while SCOOP waits
        outcome = self._task.switch((function, items))
        if isinstance(outcome, BaseException):
            raise outcome
        results: list[Any] = outcome
        return results

    def close(self) -> None:
        """End the task."""
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
