"""Show the progress of a study on screen.

The table shows how many runs of each variant are done. It does not show intermediate results.
"""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fooldeap.engine.evolution import Observer
from fooldeap.formatting import counted, duration, per_second
from fooldeap.results import LogRow, RunInfo, RunResult
from fooldeap.terminal_text import printable

REFRESH_SECONDS = 0.5  # between two refreshes of the table; without a terminal, ten times as long


class Progress(Observer):
    """A live table with one row per variant. Without a terminal, a line of text from time to time.

    Parameters
    ----------
    runs : all runs of the study
    done : the runs that finished in earlier sessions
    budget : by variant, the maximum number of evaluations of a run
    quiet : show nothing
    """

    def __init__(
        self, runs: Iterable[RunInfo], done: Iterable[RunInfo], budget: dict[str, int], *, quiet: bool
    ) -> None:
        self._total = Counter(run.variant for run in runs)
        self._done = Counter(run.variant for run in done)
        self._reached, self._failed = Counter[str](), Counter[str]()
        self._spent = dict[RunInfo, int]()
        self._past = 0  # evaluations of the runs that finished in this session
        self._budget, self._quiet = budget, quiet
        self._begun = self._shown = time.perf_counter()
        self._screen = Console(stderr=False)
        in_notebook = self._screen.is_jupyter
        self._live = _CellOutput() if in_notebook else Live(console=self._screen, auto_refresh=False, transient=True)
        self._shows = (in_notebook or self._screen.is_terminal) and not quiet

    def __enter__(self) -> "Progress":
        if self._shows:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._shows:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        if not self._quiet:
            self._screen.print(printable(text), highlight=False, soft_wrap=True, markup=False)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Record the evaluations of a run, and refresh the screen if it is time."""
        self._spent[run] = row.evaluations
        interval = REFRESH_SECONDS if self._shows else 10 * REFRESH_SECONDS
        if not self._quiet and time.perf_counter() - self._shown >= interval:
            self._refresh()

    def ended(self, run: RunInfo, results: list[RunResult], *, failed: bool) -> None:
        """Record that a run ended."""
        self._past += self._spent.pop(run, 0)
        self._done[run.variant] += 1
        self._failed[run.variant] += failed
        self._reached[run.variant] += bool(results) and all(result.reached for result in results)

    def _refresh(self) -> None:
        self._shown = time.perf_counter()
        if self._shows:
            self._live.update(self._table(), refresh=True)
        else:
            self.say(f"  {self._summary_line()}")

    def _summary_line(self) -> str:
        evaluations = self._past + sum(self._spent.values())
        rate = per_second(evaluations, self._shown - self._begun)
        runs = f"{self._done.total()} of {counted(self._total.total(), 'run')} done"
        runs += f", {counted(evaluations, 'evaluation')}, {rate:,.0f}/s"
        return f"{runs}, < {duration(self._evaluations_left() / rate)} left" if rate else runs

    def _evaluations_left(self) -> int:
        """Return the number of remaining evaluations if every run spends its budget."""
        whole = sum((total - self._done[name]) * self._budget[name] for name, total in self._total.items())
        return whole - sum(self._spent.values())

    def _table(self) -> Table:
        table = Table(caption=self._summary_line(), caption_justify="left")
        for head in ("variant", "runs done", "reached the goal here"):
            table.add_column(head, justify="left" if head == "variant" else "right")
        for name, total in self._total.items():
            failed = f", {self._failed[name]} failed" if self._failed[name] else ""
            table.add_row(Text(printable(name)), f"{self._done[name]} of {total}{failed}", str(self._reached[name]))
        return table


class _CellOutput:
    """A table in the output of a notebook's cell, with the methods of `rich.live.Live`."""

    def start(self) -> None:
        from IPython.display import HTML, display  # every notebook has it

        self._nothing: Any = HTML("")
        self._handle = display(self._nothing, display_id=True)

    def update(self, table: Table, *, refresh: bool) -> None:
        self._handle.update(table)

    def stop(self) -> None:
        self._handle.update(self._nothing)
