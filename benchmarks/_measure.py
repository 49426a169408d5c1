"""Helpers of the benchmarks: a stopwatch that detects other load on the machine, and statistics over repeats."""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

_PROC = Path("/proc")
_WORKING = (0, 1, 2, 5, 6, 7)  # the columns of /proc/stat: user, nice, system, irq, softirq and steal
OTHERS = 0.05  # a repeat is discarded if other processes use a larger share of all cores
ATTEMPTS = 3  # the largest number of repeats, as a multiple of the requested number


class Stopwatch:
    """Measures the seconds of a ``with`` block, and the load by other processes during it.

    ``others`` is the share of all cores that other processes than this one and its descendants used. It is measured in
    steps of 10 ms, and None on systems other than Linux.
    """

    seconds: float
    others: float | None

    def __enter__(self) -> "Stopwatch":
        self._wall, self._own, self._all = time.perf_counter(), _own_seconds(), _all_seconds()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        own, total = _own_seconds(), _all_seconds()
        self.others = None
        if total is not None and self._all is not None:
            used = total - self._all - (own - self._own)
            self.others = max(0.0, used / (self.seconds * (os.cpu_count() or 1)))


class Spread(NamedTuple):
    """The median and range of a figure over the repeats."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of some values."""
        return cls(median(values), min(values), max(values))


class Figure(NamedTuple):
    """A measured figure with its goals: at least ``least``, at most ``most``; None is no goal."""

    name: str
    spread: Spread
    least: float | None = None
    most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the median misses the goal."""
        low = self.least is not None and self.spread.median < self.least
        return low or (self.most is not None and self.spread.median > self.most)

    def row(self) -> str:
        """Return the figure as a row of a Markdown table."""
        goals = [f"at least {self.least:g}"] if self.least is not None else []
        goals += [f"at most {self.most:g}"] if self.most is not None else []
        outcome = (": MISSED" if self.missed else ": met") if goals else ""
        return f"| {self.name} | {' | '.join(f'{value:.3g}' for value in self.spread)} | {' '.join(goals)}{outcome} |"


def check_clock() -> None:
    """End the benchmark if the clock does not advance: every figure depends on a duration."""
    start = time.perf_counter()
    time.sleep(0.05)
    if time.perf_counter() <= start:
        raise SystemExit("the clock of this machine does not advance, so nothing can be measured")


def options(docstring: str | None, only: str = "") -> argparse.ArgumentParser:
    """Return a parser with the options of all benchmarks; ``only`` names the things that ``--only`` filters."""
    check_clock()
    parser = argparse.ArgumentParser(description=(docstring or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    if only:
        parser.add_argument("--only", default="", help=f"measure only {only} whose name contains this text")
    return parser


HEAD = "| | median | min | max | goal |\n|---|---:|---:|---:|---|"


def repeated(repeat: Callable[[], dict[str, float]], wanted: int) -> tuple[dict[str, list[float]], int]:
    """Repeat a measurement until ``wanted`` repeats were undisturbed by other processes.

    Returns the measured values by name, and the number of discarded repeats.
    """
    check_clock()
    repeat()  # warm-up
    kept: list[dict[str, float]] = []
    discarded = 0
    while len(kept) < wanted and discarded <= (ATTEMPTS - 1) * wanted:
        with Stopwatch() as watch:
            measured = repeat()
        if watch.others is not None and watch.others > OTHERS:
            discarded += 1
        else:
            kept.append(measured)
    if len(kept) < wanted:
        raise SystemExit(f"only {len(kept)} of {wanted} repeats were undisturbed; stop other processes and try again")
    return {name: [measured[name] for measured in kept] for name in kept[0]}, discarded


def ratio(measured: dict[str, list[float]], one: str, other: str) -> Spread:
    """Return the spread of the ratio of two measurements, computed within each repeat."""
    return Spread.of([a / b for a, b in zip(measured[one], measured[other], strict=True)])


def report(figures: Sequence[Figure], notes: Sequence[str] = (), file: Path | None = None, **more: Any) -> int:
    """Print a table, write JSON if a file is given, and return the exit status: 1 if a goal is missed."""
    print("\n".join([HEAD, *(figure.row() for figure in figures), *(f"\n{note}" for note in notes)]), flush=True)
    if file is not None:
        rows = [{**figure._asdict(), "spread": figure.spread._asdict()} for figure in figures]
        file.write_text(json.dumps({"figures": rows, **more}, indent=2) + "\n")
    return int(any(figure.missed for figure in figures))


def _all_seconds() -> float | None:
    """Return the CPU seconds of all cores since the machine started; None if the system does not report them."""
    if not (_PROC / "stat").exists():
        return None
    ticks = [int(word) for word in (_PROC / "stat").read_text().splitlines()[0].split()[1:]]
    return sum(ticks[column] for column in _WORKING) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Return the CPU seconds of this process and all its descendants, those that have ended included."""
    times, parents = {}, {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended
        parents[int(folder.name)] = int(fields[1])
        times[int(folder.name)] = int(fields[11]) + int(fields[12])
    family, newest = {os.getpid()}, {os.getpid()}
    while newest:
        newest = {process for process, parent in parents.items() if parent in newest}
        family |= newest
    others = sum(times.get(process, 0) for process in family - {os.getpid()}) / os.sysconf("SC_CLK_TCK")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + others + ended.ru_utime + ended.ru_stime
