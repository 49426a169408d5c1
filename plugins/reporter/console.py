"""Progress and results on screen."""

import math
import time
from typing import ClassVar

from rich.console import Console as Screen
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from fooldeap.lines import printable
from fooldeap.plugin import (
    Annotated,
    Gt,
    LogRow,
    Reporter,
    Result,
    RunInfo,
    RunResult,
    Session,
    dataclass,
    reporter,
)

MOST_BARS = 20


@reporter("console")
@dataclass(kw_only=True)
class Console(Reporter):
    """Show a bar a target with its best confidence, the rate and the time left, then the table of results.

    ``every`` is in seconds: between two refreshes of the bars, or ten of it between two lines where there is no
    terminal.
    """

    on_screen: ClassVar[bool] = True
    every: Annotated[float, Gt(0)] = 0.25

    def on_start(self, session: Session) -> None:
        """Say what begins, and open the display."""
        self._screen = Screen(stderr=False)
        self._session = session
        self._begun = self._shown = time.perf_counter()
        self._latest: dict[tuple[int, int], LogRow] = {}
        self._ended: set[tuple[int, int]] = set()
        self._bars: dict[tuple[int, int], TaskID] = {}
        self._spent: dict[RunInfo, int] = {}
        self._several = len({run.seed for run in session.runs}) > 1
        self._total = sum(len(run.targets) for run in session.runs)
        where = f" in {session.folder.path}" if session.folder else ""
        verb = "resuming" if session.resumed else "evolving"
        self._say(f"{session.name}: {verb} {self._total} images{where}")
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._screen,
            auto_refresh=False,
            transient=True,
            disable=not self._screen.is_terminal,
        )
        self._overall = self._progress.add_task("all", total=self._total, note="")
        self._progress.start()

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Take note, and refresh when it is time."""
        self._latest[row.seed, row.target] = row
        self._spent[run] = row.evaluations
        interval = self.every if self._screen.is_terminal else 10 * self.every
        if time.perf_counter() - self._shown >= interval:
            self._refresh()

    def on_run_end(self, results: list[RunResult]) -> None:
        """Close the bars of a run."""
        for result in results:
            self._ended.add((result.seed, result.target))
        if not self._screen.is_terminal:
            for result in results:
                self._say(f"  {_sentence(result)}")

    def on_finish(self, result: Result) -> None:
        """Show the table."""
        self._progress.stop()
        self._say(_table(result) if self._screen.is_terminal else result.markdown())
        reached = sum(run.reached for run in result)
        rate = result.evaluations / result.seconds if result.seconds else 0
        where = f"; {result.folder}" if result.folder else ""
        spent = f"{result.evaluations:,} evaluations in {result.seconds:.1f} s ({rate:,.0f} a second)"
        self._say(f"{reached} of {len(result)} reached the goal; {spent}{where}")

    def on_abort(self) -> None:
        """Leave the screen in order."""
        self._progress.stop()

    def _say(self, what: str | Table) -> None:
        safe = printable(what) if isinstance(what, str) else what
        self._screen.print(safe, highlight=False, soft_wrap=True, markup=False)

    def _refresh(self) -> None:
        self._shown = time.perf_counter()
        evaluations = sum(self._spent.values())
        rate = evaluations / (self._shown - self._begun)
        note = f"{len(self._ended)} of {self._total} done, {evaluations:,} evaluations, {rate:,.0f}/s"
        if not self._screen.is_terminal:
            self._say(f"  {note}")
            return
        self._progress.update(self._overall, completed=len(self._ended), note=f"{note}{self._left(rate)}")
        for key, row in self._latest.items():
            self._update_bar(key, row)
        self._progress.refresh()

    def _update_bar(self, key: tuple[int, int], row: LogRow) -> None:
        budget = self._session.budget
        if key not in self._bars:
            seed = f"seed {row.seed} " if self._several else ""
            self._bars[key] = self._progress.add_task(f"{seed}target {row.target}", total=budget, note="")
        bar = self._bars[key]
        note = f"{100 * row.confidence:8.4f} %  {row.evaluations:,} evaluations"
        crowded = self._total > MOST_BARS and key in self._ended
        done = budget if key in self._ended else row.evaluations
        self._progress.update(bar, completed=done, note=note, visible=not crowded)

    def _left(self, rate: float) -> str:
        """Say how long it takes at most, if every run uses up its budget."""
        budget = self._session.budget
        if budget is None or not rate:
            return ""
        ended = {run for run in self._spent if all((run.seed, target) in self._ended for target in run.targets)}
        left = sum(budget - self._spent.get(run, 0) for run in self._session.runs if run not in ended)
        return f", < {math.ceil(left / rate)} s left"


def _sentence(result: RunResult) -> str:
    seen = f"seen as {result.predicted} with {100 * result.confidence:.3f} %"
    way = (
        f"after {result.evaluations_to_goal} evaluations" if result.reached else f"goal not reached ({result.stopped})"
    )
    return f"seed {result.seed}, target {result.target}: {seen}, {way}"


def _table(result: Result) -> Table:
    table = Table()
    several = len({run.seed for run in result}) > 1
    for head in ["seed"] * several + ["target", "predicted", "confidence", "score", "evaluations"]:
        table.add_column(head, justify="right")
    for run in result:
        style = None if run.reached else "yellow"
        table.add_row(*[str(run.seed)] * several, *result.cells(run), style=style)
    return table
