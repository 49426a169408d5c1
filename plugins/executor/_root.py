"""SCOOP's root task in this process, as something that maps when it is asked to."""

from collections.abc import Callable, Iterator
from typing import Any

from greenlet import GreenletExit, getcurrent

from ._calls import Failure
from ._scoop import control, futures


class _Abandoned(BaseException):
    """Nobody wants the rest of the results."""


class Root:
    """SCOOP's root task, entered whenever something is to be mapped, and left with each result.

    So the rest of this process runs as it would without SCOOP, and is free to fail and to be interrupted.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._caller = getcurrent()
        self._under_way = False
        self._watch(check)
        futures._startup(self._serve)  # returns when the task leaves for the first time
        self._task = control.current.greenlet

    def map(self, function: Callable[..., Any], items: list[Any]) -> Iterator[Any]:
        """Yield the results in order, each as soon as those before it are there; a failure at once, as the last."""
        if self._under_way:
            self._enter(_Abandoned())
        outcome = self._enter((function, items))
        while True:
            self._under_way = isinstance(outcome, tuple) and bool(outcome)
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

    def _enter(self, what: Any) -> Any:
        """Go on in the task, and return what it is left with: a result in a tuple, an empty one, or an error."""
        self._caller = getcurrent()
        futures._controller.parent = self._caller  # where an interrupt goes that comes while SCOOP waits
        return self._task.throw(what) if isinstance(what, _Abandoned) else self._task.switch(what)

    def _serve(self) -> None:
        said: Any = ()
        while True:
            function, items = self._caller.switch(said)
            said = ()
            try:
                for result in _results(function, items):
                    self._caller.switch((result,))
            except GreenletExit:
                raise
            except _Abandoned:
                pass
            except BaseException as error:
                said = error

    @staticmethod
    def _watch(check: Callable[[], None]) -> None:
        """Look for what went wrong whenever SCOOP waits, at least every two seconds."""
        communicator = control.execQueue.socket
        poll = communicator._poll

        def watched(timeout: int) -> Any:
            check()
            return poll(timeout)

        communicator._poll = watched


def _results(function: Callable[..., Any], items: list[Any]) -> Iterator[Any]:
    """Yield the results in order, and end with the first failure, wherever it is: the others are not waited for."""
    tasks, ended = futures._mapFuture(function, items), set()
    place = 0
    for task in futures.as_completed(tasks):
        if isinstance(task.resultValue, Failure):
            yield task.resultValue
            return
        ended.add(id(task))
        while place < len(tasks) and id(tasks[place]) in ended:
            yield tasks[place].resultValue
            place += 1
