"""Time limit for the calls of a classifier.

A signal interrupts a call that takes too long, if the classifier is Python code or waits. In other threads than the
main thread, an error is raised between two steps of the interpreter. Nothing can interrupt code that never returns to
the interpreter; see `last_resort`.
"""

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from fooldeap.errors import OvertimeError, blaming

T = TypeVar("T")

LIMIT = "batch_timeout"  # the parameter of an executor that sets the time limit of a classifier
TICK = 0.5  # seconds between two looks at the calls
GRACE = 2.0  # seconds from the interruption to the last resort

# Reports the reason and, if fooldeap owns the process, ends it. Set only in workers, not in a user's notebook.
last_resort: Callable[[str], None] | None = None


class _TimeUp(BaseException):
    """A timeout. It is not an `Exception`, so a plugin that catches `Exception` to retry does not catch it."""


class TimeLimit:
    """Limits the time of calls of a classifier. Errors name its plugin.

    Parameters
    ----------
    name : the name of the plugin, for messages
    seconds : the time limit of a call; None: no limit
    """

    def __init__(self, name: str, seconds: float | None = None) -> None:
        self.name, self.seconds = name, seconds

    def call(self, images: int, function: Callable[..., T], *arguments: object) -> T:
        """Call a function for a number of images, and return its value.

        This is no context manager: between a block and the end of its context manager, an interruption would reach
        other code.

        Raises
        ------
        PluginError
            The call fails or takes too long.
        """
        with blaming(self.name):
            if self.seconds is None:
                return function(*arguments)
            late = (
                f"{self.name} took longer than {self.seconds:g} s for a batch of {images} images; see why it hangs, or "
                f"allow it more by executor.{LIMIT}"
            )
            main = threading.current_thread() is threading.main_thread()
            call = _Call(threading.get_ident(), time.monotonic() + self.seconds, late, interrupted=main)
            try:
                try:
                    _watch.add(call)
                    with _alarm(self.seconds) if main else contextlib.nullcontext():
                        return function(*arguments)
                finally:
                    _watch.remove(call)
            except _TimeUp:
                _watch.remove(call)  # the interruption may have come during the removal
                raise OvertimeError(late) from None


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `_TimeUp` inside the block if it takes longer than ``seconds``. Then restore a previous alarm."""
    running, begun = True, time.monotonic()

    def time_up(*_: object) -> None:
        if running:
            raise _TimeUp

    handler = signal.signal(signal.SIGALRM, time_up)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            running = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # a previous alarm that was due meanwhile rings now
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - begun), 1e-6), interval)


@dataclass(eq=False)
class _Call:
    """A call in a thread: when its time is up, and the message if it is late."""

    thread: int
    end: float
    late: str
    interrupted: bool  # or a signal will do it
    reported: bool = False


class _Watch:
    """A thread that interrupts late calls in other threads, and turns to the last resort if this has no effect."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, call: _Call) -> None:
        with self._lock:
            self._calls.append(call)
            if self._thread is None and (last_resort is not None or not call.interrupted):
                self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
                self._thread.start()

    def remove(self, call: _Call) -> None:
        """Forget a call of this thread, also a pending interruption."""
        with self._lock:
            if call in self._calls:
                self._calls.remove(call)
                if call.interrupted and threading.current_thread() is not threading.main_thread():
                    _interrupt(call.thread, None)

    def _look(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                now = time.monotonic()
                for call in self._calls:
                    if now > call.end and not call.interrupted:
                        call.interrupted = True
                        _interrupt(call.thread, _TimeUp)
                late = [call for call in self._calls if now > call.end + GRACE and not call.reported]
            for call in late:
                if last_resort is not None:
                    call.reported = True
                    last_resort(call.late)


def _interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in a thread as soon as it executes its next step. None: discard an error that is pending."""
    pending = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), pending)


_watch = _Watch()
