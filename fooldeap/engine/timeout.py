"""Time limit for the calls of a classifier.

A signal interrupts a call that takes too long, if the classifier is Python code or waits. A signal cannot interrupt
code that never returns to the interpreter. In that case the process ends if fooldeap owns it, see `last_resort`.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

from fooldeap.errors import OvertimeError, blaming

LIMIT = "batch_timeout"  # the parameter of an executor that sets the time limit of a classifier
GRACE = 2.0  # seconds from the signal to the last resort

# Reports the reason and ends the process. Set only in processes that fooldeap owns, not in a user's notebook.
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

    def __call__(self, images: int) -> contextlib.AbstractContextManager[object]:
        """Return a context manager for a call with a number of images. Enter it at once, because the time starts now.

        It raises `PluginError` if the call fails or takes too long.
        """
        if self.seconds is None:
            return blaming(self.name)
        late = (
            f"{self.name} took longer than {self.seconds:g} s for a batch of {images} images; see why it hangs, or "
            f"allow it more by executor.{LIMIT}"
        )
        stack = contextlib.ExitStack()
        stack.enter_context(blaming(self.name))
        stack.enter_context(_limited(self.seconds, late))
        return stack


@contextlib.contextmanager
def _limited(seconds: float, late: str) -> Iterator[None]:
    """Raise `OvertimeError` if the block takes longer than ``seconds``."""
    _watch.until(time.monotonic() + seconds + GRACE, late)
    interruptible = threading.current_thread() is threading.main_thread()
    try:
        with _alarm(seconds) if interruptible else contextlib.nullcontext():
            yield
    except _TimeUp:
        raise OvertimeError(late) from None
    finally:
        _watch.until(None, "")


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


class _Watch:
    """A thread that checks once a second whether a call has ignored the signal for too long."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, str]] = {}  # by thread
        self._thread: threading.Thread | None = None

    def until(self, moment: float | None, late: str) -> None:
        if moment is None:
            self._due.pop(threading.get_ident(), None)
        else:
            self._due[threading.get_ident()] = moment, late
        if self._thread is None and last_resort is not None:
            self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(1.0)
            for moment, late in list(self._due.values()):
                if last_resort is not None and time.monotonic() > moment:
                    last_resort(late)


_watch = _Watch()
