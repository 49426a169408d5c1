"""When to draw: now and then, and never so often that drawing takes a share of the time that somebody notices."""

import contextlib
import time
from collections.abc import Callable, Iterator


class Pace:
    """Keeps what is spent on drawing below a share of all time, whatever a drawing takes and a terminal makes of it.

    A drawing is taken to cost what the one before did. The first is not waited for.

    Parameters
    ----------
    every : seconds between two drawings, at least
    share : of the time, for all of them together
    clock : seconds
    """

    def __init__(self, every: float, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._every, self._share, self._clock = every, share, clock
        self._begun = self._drawn = clock()
        self._spent = self._last = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    def due(self) -> bool:
        """Tell whether it is time to draw."""
        now = self._clock()
        return now - self._drawn >= self._every and self._spent + self._last <= self._share * (now - self._begun)

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Take note of what is drawn in a ``with`` block."""
        self._drawn = self._clock()
        try:
            yield
        finally:
            self._last = self._clock() - self._drawn
            self._spent += self._last
