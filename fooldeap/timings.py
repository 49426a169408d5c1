"""Seconds of evolution, over all sessions of an experiment, in a file of their own, apart from all results."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_FIELDS = ("session", "seconds", "event", "run", "evaluations")
_TICK = 1.0  # seconds between two rows


class Timings:
    """A clock that goes on where the last session stopped, and ``timings.csv``, its record.

    Events: ``start`` of a run, ``tick`` every second or so with the evaluations until then.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._before, self._session, self._starts = 0.0, 1, dict[str, float]()
        self._file: TextIO | None = None
        if path is not None:
            self._read(path)
            self._file = path.open("a", newline="", buffering=1)
            if self._file.tell() == 0:
                self._file.write(",".join(_FIELDS) + "\n")
        self._zero = time.perf_counter()
        self._last_tick = self._before

    @property
    def seconds(self) -> float:
        """Seconds of evolution until now."""
        return self._before + time.perf_counter() - self._zero

    def of(self, run: str) -> Callable[[], float]:
        """Return a clock that starts with its first call, or started in an earlier session."""

        def elapsed() -> float:
            if run not in self._starts:
                self._starts[run] = self.seconds
                self._write("start", run, "")
            return self.seconds - self._starts[run]

        return elapsed

    def elapsed(self, run: str) -> float:
        """Return the seconds since a run started, 0 where it did not yet."""
        return self.seconds - self._starts[run] if run in self._starts else 0.0

    def tick(self, evaluations: int, *, last: bool = False) -> None:
        """Note how far the experiment is; ``last`` closes the record."""
        if last or self.seconds - self._last_tick >= _TICK:
            self._last_tick = self.seconds
            self._write("tick", "", str(evaluations))
        if last and self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: str, run: str, evaluations: str) -> None:
        if self._file is not None:
            self._file.write(f"{self._session},{self.seconds:.3f},{event},{run},{evaluations}\n")

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                try:
                    self._session, self._before = int(row["session"]) + 1, float(row["seconds"])
                except (TypeError, ValueError):
                    continue  # a line that a killed process left half-written
                if row["event"] == "start":
                    self._starts.setdefault(row["run"], self._before)
