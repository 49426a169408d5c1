"""Progress and results on screen."""

import itertools
import math
from typing import ClassVar

from rich.console import Console as Screen
from rich.table import Table

from fooldeap.lines import printable
from fooldeap.numerals import counted, per_second, percent
from fooldeap.plugin import (
    Annotated,
    BestYet,
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

from ._bars import Bar
from ._pace import Pace
from ._view import View

MOST_BARS = 20
SHARE = 0.01  # of the time, for drawing; what is shown at the start and at the end comes on top


@reporter("console")
@dataclass(kw_only=True)
class Console(Reporter):
    """Show a bar a target with its confidence, the best images, the time left, and then the results.

    Where there is no room for both, the images stay, which say the confidence. ``every`` is in seconds: between two
    drawings, or ten of it between two lines where there is no terminal. Drawing takes a hundredth of the time: what
    takes longer is drawn less often. With ``images`` false, without colours or without a terminal there are no images.
    """

    on_screen: ClassVar[bool] = True
    every: Annotated[float, Gt(0)] = 0.25
    images: bool = True

    def on_start(self, session: Session) -> None:
        """Say what begins, and open the display."""
        self._screen = Screen(stderr=False)
        self._session = session
        self._latest: dict[tuple[int, int], LogRow] = {}
        self._ended: set[tuple[int, int]] = set()
        self._spent: dict[RunInfo, int] = {}
        self._several = len({run.seed for run in session.runs}) > 1
        self._total = sum(len(run.targets) for run in session.runs)
        where = f" in {session.folder.path}" if session.folder else ""
        verb = "resuming" if session.resumed else "evolving"
        self._say(f"{session.name}: {verb} {counted(self._total, 'image')}{where}")
        drawn = self._screen.is_terminal and not self._screen.is_dumb_terminal
        self._pace = Pace(self.every if drawn else 10 * self.every, SHARE)
        self._view = None
        if drawn:
            self._view = View(self._screen, session, images=self.images)
            self._draw()

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Look at its images from now on."""
        if self._view is not None:
            self._view.watch(run, best)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Take note, and draw when it is time."""
        self._latest[row.seed, row.target] = row
        self._spent[run] = row.evaluations
        if self._pace.due():
            with self._pace.drawing():
                self._draw()

    def on_run_end(self, results: list[RunResult]) -> None:
        """Close the bars of a run."""
        for result in results:
            self._ended.add((result.seed, result.target))
            if self._view is not None:
                self._view.keep(result)
            else:
                self._say(f"  {_sentence(result)}")

    def on_finish(self, result: Result) -> None:
        """Show the images and the table."""
        if self._view is not None:
            self._view.close()
            self._view.print_images()
        self._say(result.markdown() if self._view is None else _table(result))
        self._say(_summary(result))

    def on_abort(self) -> None:
        """Leave the screen in order."""
        if self._view is not None:
            self._view.close()

    def _say(self, what: str | Table) -> None:
        safe = printable(what) if isinstance(what, str) else what
        self._screen.print(safe, highlight=False, soft_wrap=True, markup=False)

    def _draw(self) -> None:
        evaluations = sum(self._spent.values())
        rate = per_second(evaluations, self._pace.elapsed)
        note = f"{len(self._ended)} of {self._total} done, {counted(evaluations, 'evaluation')}, {rate:,.0f}/s"
        if self._view is None:
            self._say(f"  {note}")
            return
        overall = Bar("all", len(self._ended) / self._total, note + self._left(rate))
        crowded = self._total > MOST_BARS
        shown = (row for key, row in self._latest.items() if not (crowded and key in self._ended))
        self._view.draw([overall, *map(self._bar, itertools.islice(shown, MOST_BARS))])

    def _bar(self, row: LogRow) -> Bar:
        seed = f"seed {row.seed} " if self._several else ""
        ended, budget = (row.seed, row.target) in self._ended, self._session.budget
        done = 1.0 if ended else row.evaluations / budget if budget else 0.0
        note = f"{percent(row.confidence):>9}  {counted(row.evaluations, 'evaluation')}"
        return Bar(f"{seed}target {row.target}", done, note)

    def _left(self, rate: float) -> str:
        """Say how long it takes at most, if every run uses up its budget."""
        budget = self._session.budget
        if budget is None or not rate:
            return ""
        ended = {run for run in self._spent if all((run.seed, target) in self._ended for target in run.targets)}
        left = sum(budget - self._spent.get(run, 0) for run in self._session.runs if run not in ended)
        return f", < {math.ceil(left / rate)} s left"


def _summary(result: Result) -> str:
    """Return what came of it all in a line."""
    rate = per_second(result.evaluations, result.seconds)
    sizes = [len(run.front) for run in result if run.front]
    fewest, most = (min(sizes), max(sizes)) if sizes else (0, 0)
    several = f"{fewest} to {most} images" if fewest < most else counted(most, "image")
    parts = [
        f"{sum(run.reached for run in result)} of {len(result)} reached the goal" if result.goal else "",
        f"{several} on a front by {' and '.join(result.objectives)}" if sizes else "",
        f"{counted(result.evaluations, 'evaluation')} in {result.seconds:.1f} s ({rate:,.0f} a second)",
        str(result.folder or ""),
    ]
    return "; ".join(part for part in parts if part)


def _sentence(result: RunResult) -> str:
    seen = f"seen as {result.predicted} with {percent(result.confidence)}"
    way = (
        f"after {counted(result.evaluations_to_goal, 'evaluation')}"
        if result.evaluations_to_goal is not None
        else f"goal not reached ({result.stopped})"
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
