"""What the benchmarks share: a stopwatch that sees whether others used the machine, and figures over repeats."""

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
OTHERS = 0.05  # the share of the cores that others may take in a repeat that counts
ATTEMPTS = 3  # at most so many times the repeats asked for


class Stopwatch:
    """Tells the seconds of a ``with`` block, and the share of all cores that took others than this process's family.

    ``others`` is None where the system does not tell; Linux does, in steps of 10 ms.
    """

    seconds: float
    others: float | None

    def __enter__(self) -> "Stopwatch":
        self._wall, self._own, self._all = time.perf_counter(), _own(), _worked()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        own, everything = _own(), _worked()
        self.others = None
        if everything is not None and self._all is not None:
            taken = everything - self._all - (own - self._own)
            self.others = max(0.0, taken / (self.seconds * (os.cpu_count() or 1)))


class Spread(NamedTuple):
    """A figure over the repeats."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of some values."""
        return cls(median(values), min(values), max(values))


class Figure(NamedTuple):
    """A measured figure with its goal, ``least`` or ``most``; None is no goal."""

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
        verdict = (": MISSED" if self.missed else ": met") if goals else ""
        return f"| {self.name} | {' | '.join(f'{value:.3g}' for value in self.spread)} | {' '.join(goals)}{verdict} |"


def check_clock() -> None:
    """End the benchmark where the clock does not advance: every figure is a duration or divided by one."""
    begun = time.perf_counter()
    time.sleep(0.05)
    if time.perf_counter() <= begun:
        raise SystemExit("the clock of this machine does not advance, so nothing can be measured")


def options(of: str | None, only: str = "") -> argparse.ArgumentParser:
    """Return a parser for what benchmarks have in common; ``of`` is a docstring, ``only`` what ``--only`` looks at."""
    check_clock()
    parser = argparse.ArgumentParser(description=(of or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    if only:
        parser.add_argument("--only", default="", help=f"measure only {only} with this in their names")
    return parser


HEAD = "| | median | min | max | goal |\n|---|---:|---:|---:|---|"


def repeated(repeat: Callable[[], dict[str, float]], wanted: int) -> tuple[dict[str, list[float]], int]:
    """Return what ``wanted`` undisturbed repeats measured, by name, and how many were discarded as disturbed."""
    check_clock()
    repeat()  # to warm up
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
        raise SystemExit(f"only {len(kept)} of {wanted} repeats were undisturbed: other processes took the cores")
    return {name: [measured[name] for measured in kept] for name in kept[0]}, discarded


def ratio(measured: dict[str, list[float]], one: str, other: str) -> Spread:
    """Return the spread of a ratio taken within each repeat."""
    return Spread.of([a / b for a, b in zip(measured[one], measured[other], strict=True)])


def report(figures: Sequence[Figure], notes: Sequence[str] = (), file: Path | None = None, **more: Any) -> int:
    """Print a table, write JSON if a file is named, and return the exit status: 1 where a goal is missed."""
    print("\n".join([HEAD, *(figure.row() for figure in figures), *(f"\n{note}" for note in notes)]), flush=True)
    if file is not None:
        rows = [{**figure._asdict(), "spread": figure.spread._asdict()} for figure in figures]
        file.write_text(json.dumps({"figures": rows, **more}, indent=2) + "\n")
    return int(any(figure.missed for figure in figures))


def _worked() -> float | None:
    """Return the seconds that all cores together have worked since the machine started."""
    if not (_PROC / "stat").exists():
        return None
    ticks = [int(word) for word in (_PROC / "stat").read_text().splitlines()[0].split()[1:]]
    return sum(ticks[column] for column in _WORKING) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Return the seconds that this process and all its descendants have worked, those that ended included."""
    times, parents = {}, {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(folder.name)] = int(fields[1])
        times[int(folder.name)] = int(fields[11]) + int(fields[12])
    family, young = {os.getpid()}, {os.getpid()}
    while young:
        young = {process for process, parent in parents.items() if parent in young}
        family |= young
    others = sum(times.get(process, 0) for process in family - {os.getpid()}) / os.sysconf("SC_CLK_TCK")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + others + ended.ru_utime + ended.ru_stime
