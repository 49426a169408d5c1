"""Function calls that are sent to workers, and errors that are sent back with their traceback."""

import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from greenlet import GreenletExit

from fooldeap import errors
from fooldeap.errors import FooldeapError, PluginError, RunError
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
        try:
            function = self._function or self._load()
            return function(item)
        except GreenletExit:
            raise
        except BaseException as error:
            if self._function is not None:
                raise  # in the main process, which needs no Failure
            return Failure.from_error(error)

    def _load(self) -> Any:
        if self._threads is not None:
            limit_threads(self._threads)
        return pickle.loads(self._payload)


class Failure(NamedTuple):
    """An error in a worker, in a form that can be pickled."""

    kind: str
    message: str
    trace: str
    process: str

    @classmethod
    def from_error(cls, error: BaseException) -> "Failure":
        """Describe an error that is being handled."""
        known = isinstance(error, FooldeapError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        kind = type(error).__name__ if known else PluginError.__name__
        return cls(kind, message, traceback.format_exc(), f"{os.uname().nodename}, process {os.getpid()}")

    def to_error(self) -> FooldeapError:
        """Return an equivalent error with the worker's traceback as a note."""
        error: FooldeapError = getattr(errors, self.kind, RunError)(self.message)
        error.add_note(f"In a worker ({self.process}):\n{self.trace}")
        return error


def raise_failures(outcomes: Iterable[Any]) -> Iterator[Any]:
    """Yield the outcomes. Raise the error of the first failure."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise outcome.to_error()
        yield outcome
