"""What the benchmarks share: a stopwatch that sees whether others used the machine, and figures over repeats."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

_STAT = Path("/proc/stat")
_WORKING = (0, 1, 2, 5, 6, 7)  # its columns user, nice, system, irq, softirq and steal


class Stopwatch:
    """Tells the share of all cores that other processes took within a ``with`` block.

    ``others`` is None where the system does not tell; Linux does, in steps of 10 ms.
    """

    others: float | None

    def __enter__(self) -> "Stopwatch":
        self._wall, self._own, self._all = time.perf_counter(), time.process_time(), _worked()
        return self

    def __exit__(self, *error: object) -> None:
        wall, own, everything = time.perf_counter(), time.process_time(), _worked()
        if everything is None or self._all is None:
            self.others = None
        else:
            taken = everything - self._all - (own - self._own)
            self.others = max(0.0, taken / ((wall - self._wall) * (os.cpu_count() or 1)))


class Spread(NamedTuple):
    """A figure over the repeats."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of some values."""
        return cls(median(values), min(values), max(values))


def _worked() -> float | None:
    """Return the seconds that all cores together have worked since the machine started."""
    if not _STAT.exists():
        return None
    ticks = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:]]
    return sum(ticks[column] for column in _WORKING) / os.sysconf("SC_CLK_TCK")
