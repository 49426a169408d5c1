"""Time limit and error messages for a classifier: errors name its plugin, and every call has a time limit.

A signal interrupts a call that takes too long, if the classifier is Python code or waits. A signal cannot interrupt
code that never returns to the interpreter. In that case the process ends if fooldeap owns it, see `last_resort`.
"""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

from fooldeap.contracts import confidence_kind_of
from fooldeap.errors import InputError, OvertimeError, PluginError, blaming
from fooldeap.results import CONFIDENCE_KINDS

LIMIT = "batch_timeout"  # the parameter of an executor that sets the time limit of a classifier
MOST_VALUES = 1 << 26  # of an image; larger images are not read from a folder, see `fooldeap.storage.pictures`
MOST_CLASSES = 1_000_000
GRACE = 2.0  # seconds from the signal to the last resort

# Reports the reason and ends the process. Set only in processes that fooldeap owns, not in a user's notebook.
last_resort: Callable[[str], None] | None = None


class _TimeUp(BaseException):
    """A timeout. It is not an `Exception`, so a plugin that catches `Exception` to retry does not catch it."""


class TimedClassifier:
    """A classifier with time-limited calls. All other attributes are those of the wrapped classifier.

    Parameters
    ----------
    classifier : the classifier
    name : the name of its plugin, for messages
    seconds : time limit of a call; None: no limit
    """

    def __init__(self, classifier: Any, name: str, seconds: float | None = None) -> None:
        self._classifier, self._seconds, self.name = classifier, seconds, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    def check(self) -> None:
        """Check the attributes of the classifier.

        Raises
        ------
        PluginError
            An attribute has the wrong type or value.
        InputError
            The classifier has too many classes, or its images are too large.
        """
        shape, classes, digest = self.input_shape, self.classes, getattr(self._classifier, "digest", "")
        sizes = isinstance(shape, tuple) and len(shape) == 3 and all(map(_is_count, shape))
        if not sizes:
            raise PluginError(f"{self.name} has the input_shape {shape!r}, expected (height, width, channels)")
        if not _is_count(classes):
            raise PluginError(f"{self.name} has {classes!r} classes, expected a number of at least 1")
        if math.prod(map(int, shape)) > MOST_VALUES:
            raise InputError(f"{self.name} takes images {shape}, expected at most {MOST_VALUES:,} values in an image")
        if classes > MOST_CLASSES:
            raise InputError(f"{self.name} has {classes:,} classes, expected at most {MOST_CLASSES:,}")
        kind = confidence_kind_of(self._classifier)
        if kind not in CONFIDENCE_KINDS:
            raise PluginError(f"{self.name} has the confidence_kind {kind!r}, expected {', '.join(CONFIDENCE_KINDS)}")
        names = getattr(self._classifier, "names", None)
        if names is not None and len(names) != classes:
            raise PluginError(f"{self.name} has {len(names)} names for {classes} classes")
        if digest is not None and not isinstance(digest, str):
            raise PluginError(f"{self.name} has a digest that is {type(digest).__name__}, expected text")

    def logits(self, images: Any) -> Any:
        """Return the classifier's answer to images, unchecked.

        Raises
        ------
        PluginError
            The classifier fails or takes too long.
        """
        return self._call(self._classifier.logits, images)

    @property
    def gradient(self) -> Any:
        """The classifier's method, or None."""
        gradient = getattr(self._classifier, "gradient", None)
        return gradient and (lambda images, target: self._call(gradient, images, target))

    def _call(self, call: Callable[..., Any], images: Any, *more: Any) -> Any:
        late = (
            f"{self.name} took longer than {self._seconds or 0:g} s for a batch of {len(images)} images; "
            f"see why it hangs, or allow it more by executor.{LIMIT}"
        )
        with blaming(self.name), _limited(self._seconds, late):
            return call(images, *more)


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and int(value) >= 1


@contextlib.contextmanager
def _limited(seconds: float | None, late: str) -> Iterator[None]:
    """Raise `OvertimeError` if the block takes longer than ``seconds``."""
    if seconds is None:
        yield
        return
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
