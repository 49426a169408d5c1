"""Function calls that are sent to workers, and errors that are sent back with their traceback."""

import contextlib
import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from greenlet import GreenletExit

from fooldeap.errors import FooldeapError, PluginError
from fooldeap.lazy_tensorflow import limit_threads


class Call:
    """A function that is sent as a pickle and unpickled when it is first called. Errors are returned as a `Failure`.

    SCOOP would unpickle it while it receives messages, and stop if that fails. It would also lose the traceback.
    """

    def __init__(self, function: Callable[..., Any], threads: int | None = None) -> None:
        self._function: Callable[..., Any] | None = function
        self._payload, self._threads = pickle.dumps(function), threads

    def __getstate__(self) -> tuple[bytes, int | None]:
        return self._payload, self._threads

    def __setstate__(self, state: tuple[bytes, int | None]) -> None:
        self._function, (self._payload, self._threads) = None, state

    def __call__(self, item: Any) -> Any:
        if self._function is not None:  # in the main process
            return self._function(item)
        if self._threads is not None:
            limit_threads(self._threads)
        return attempt(lambda: pickle.loads(self._payload)(item))


@dataclass(frozen=True)
class Failure:
    """An error in a worker. Its note contains the traceback."""

    error: FooldeapError

    @classmethod
    def from_error(cls, error: BaseException) -> "Failure":
        """Describe an error that is being handled."""
        if isinstance(error, FooldeapError):
            sent = type(error)(str(error))
        else:
            sent = PluginError(f"{type(error).__name__}: {error}")
        sent.add_note(f"In a worker ({os.uname().nodename}, process {os.getpid()}):\n{traceback.format_exc()}")
        return cls(sent)


def attempt(function: Callable[[], Any]) -> Any:
    """Return the result of a function in a worker, or a `Failure`."""
    try:
        return function()
    except GreenletExit:
        raise
    except BaseException as error:
        return Failure.from_error(error)


def in_order(ended: Iterable[tuple[int, Any]]) -> Iterator[Any]:
    """Yield the results of numbered calls, each as soon as those before it have ended.

    Raise the error of the first failure immediately, without waiting for the calls before it.
    """
    early: dict[int, Any] = {}
    expected = 0
    for number, result in ended:
        if isinstance(result, Failure):
            raise result.error
        early[number] = result
        while expected in early:
            yield early.pop(expected)
            expected += 1


def preload(work: bytes) -> None:
    """Load the experiment in a worker, before its first task."""
    with contextlib.suppress(Exception):  # the first task will raise the same error
        task = pickle.loads(work)
        if task is not None:
            _ = task.probe
