"""Durations: the seconds of evolution over all sessions of an experiment. They are stored apart from the results."""

import time
from collections.abc import Callable
from pathlib import Path

from fooldeap.errors import InputError
from fooldeap.storage.files import Appended
from fooldeap.storage.sums import with_checksum, without_checksum

_HEAD = "session,seconds,event,run,evaluations,crc32\n"
_TICK = 1.0  # seconds between two rows


class Timings:
    """A clock that continues from the last session, and its record ``timings.csv``.

    Events are ``start`` of a run, and ``tick`` about once a second with the number of evaluations so far. Each row ends
    with its checksum, because ``stop.seconds`` depends on the rows.

    Raises
    ------
    InputError
        The file is damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._before, self._session, self._starts = 0.0, 1, dict[str, float]()
        self._file: Appended | None = None
        if path is not None:
            self._file = Appended(path)
            try:
                self._read(self._file)
            except BaseException:
                self._file.close()
                raise
        self._zero = time.perf_counter()
        self._last_tick = self._before

    @property
    def seconds(self) -> float:
        """Seconds of evolution so far."""
        return self._before + time.perf_counter() - self._zero

    def of(self, run: str) -> Callable[[], float]:
        """Return a clock for a run. It starts at its first call, or continues from an earlier session."""

        def elapsed() -> float:
            if run not in self._starts:
                self._starts[run] = self.seconds
                self._write("start", run, "")
            return self.seconds - self._starts[run]

        return elapsed

    def elapsed(self, run: str) -> float:
        """Return the seconds since a run started, or 0 if it has not started."""
        return self.seconds - self._starts[run] if run in self._starts else 0.0

    def tick(self, evaluations: int, *, last: bool = False) -> None:
        """Record the progress of the experiment. ``last`` closes the record."""
        try:
            if last or self.seconds - self._last_tick >= _TICK:
                self._last_tick = self.seconds
                self._write("tick", "", str(evaluations))
        finally:
            if last:
                self.close()

    def close(self) -> None:
        """Close the record."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.sync()
            finally:
                file.close()

    def _write(self, event: str, run: str, evaluations: str) -> None:
        if self._file is not None:
            self._file.append(with_checksum(f"{self._session},{self.seconds:.3f},{event},{run},{evaluations}"))

    def _read(self, file: Appended) -> None:
        """Read the rows. Remove an incomplete last row, left by a killed process."""
        lines = file.read(file.size, 0).decode(errors="replace").splitlines(keepends=True)
        whole = 0
        for number, line in enumerate(lines, 1):
            if not self._take(line, first=number == 1):
                if number < len(lines):
                    cure = "restore it from a copy, or remove it to restart the clock"
                    raise InputError(f"{file.path}:{number}: is damaged; {cure}")
                break
            whole += len(line)
        file.cut(whole)
        if not whole:
            file.append(_HEAD.encode())

    def _take(self, line: str, *, first: bool) -> bool:
        """Read a row, and return whether it is complete."""
        if first:
            return line == _HEAD
        row = without_checksum(line)
        if row is None:
            return False
        try:
            session, seconds, event, run, _ = row.split(",")
            self._session, self._before = int(session) + 1, float(seconds)
        except ValueError:
            return False
        if event == "start":
            self._starts.setdefault(run, self._before)
        return True
