"""Calls that travel: a function is loaded where it is first called, and an error comes back with its traceback."""

import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from greenlet import GreenletExit

from fooldeap import errors
from fooldeap.errors import FooldeapError, PluginError, RunError
from fooldeap.quiet import limit_threads


class Call:
    """A function that is sent as what loads it, and loaded where it is first called; it gives a `Failure` for errors.

    SCOOP itself would load it while it receives, and stop where that fails; and it loses tracebacks.
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
            function = self._function or self._loaded()
            return function(item)
        except GreenletExit:
            raise
        except BaseException as error:
            if self._function is not None:
                raise  # in the root, where it is of use as it is
            return Failure.of(error)

    def _loaded(self) -> Any:
        if self._threads is not None:
            limit_threads(self._threads)
        return pickle.loads(self._payload)


class Failure(NamedTuple):
    """An error in a worker."""

    kind: str
    message: str
    told: str
    process: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        ours = isinstance(error, FooldeapError)
        message = str(error) if ours else f"{type(error).__name__}: {error}"
        kind = type(error).__name__ if ours else PluginError.__name__
        return cls(kind, message, traceback.format_exc(), f"{os.uname().nodename}, process {os.getpid()}")

    def error(self) -> FooldeapError:
        made: FooldeapError = getattr(errors, self.kind, RunError)(self.message)
        made.add_note(f"In a worker ({self.process}):\n{self.told}")
        return made


def unfailed(outcomes: Iterable[Any]) -> Iterator[Any]:
    """Yield the outcomes, or raise the first failure among them."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise outcome.error()
        yield outcome
