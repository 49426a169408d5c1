"""Limits how often the display is drawn."""

import contextlib
import time
from collections.abc import Callable, Iterator


class Pace:
    """Keeps the time for drawing below a share of the whole time, even on a slow terminal.

    The cost of the next drawing is estimated as the cost of the last one. The first drawing is assumed to cost nothing.

    Parameters
    ----------
    every : smallest number of seconds between two drawings
    share : largest share of the time for all drawings together
    clock : function that returns seconds
    """

    def __init__(self, every: float, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._every, self._share, self._clock = every, share, clock
        self._started = self._last_start = clock()
        self._spent = self._last_cost = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def due(self) -> bool:
        """Return whether it is time to draw."""
        now = self._clock()
        return now - self._last_start >= self._every and self._spent + self._last_cost <= self._share * (
            now - self._started
        )

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Measure the drawing in a ``with`` block."""
        self._last_start = self._clock()
        try:
            yield
        finally:
            self._last_cost = self._clock() - self._last_start
            self._spent += self._last_cost
