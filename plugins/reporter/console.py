"""Progress and results on the terminal."""

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.console import Console as Screen
from rich.table import Column, Table

from fooldeap.formatting import class_label, counted, duration, level, per_second, percent, proportion
from fooldeap.plugin import (
    Annotated,
    BestYet,
    ExperimentInfo,
    Gt,
    LogRow,
    Reporter,
    Result,
    RunInfo,
    RunResult,
    dataclass,
    reporter,
)
from fooldeap.results import LEVELS, MANY_TARGETS, Cost
from fooldeap.terminal_text import printable

from ._bars import Bar
from ._notebook import NotebookView
from ._pace import Pace
from ._view import View

MAX_BARS = 20
MAX_LINES = 20  # results of one run, without a terminal
SHARE = 0.01  # largest share of the time for drawing, without the first and the last drawing


@reporter("console")
@dataclass(kw_only=True)
class Console(Reporter):
    """Show progress bars, the best images, the time left, and finally a table of results.

    There is one bar for each target. With more than 20 targets, one line shows instead how many classes have reached
    which confidence, and at the end a summary and the best ten results take the place of the table. If bars and images
    do not both fit on the screen, only the images are shown, with the confidence in their captions. ``every`` is the
    smallest number of seconds between two drawings. If the output is not a terminal, lines are printed instead, and the
    smallest interval is ten times as long. In a notebook, the bars are drawn without images. Drawing takes at most 1 %
    of the time, so on a slow terminal it happens less often. ``images: false`` turns off the images; they also need a
    terminal with colours.
    """

    on_screen: ClassVar[bool] = True
    every: Annotated[float, Gt(0)] = 0.25
    images: bool = True

    def on_start(self, session: ExperimentInfo) -> None:
        """Print the first line and open the display."""
        self._screen = Screen(stderr=False)
        self._session = session
        self._latest: dict[tuple[int, int], LogRow] = {}
        self._ended: set[tuple[int, int]] = set()
        self._evaluations: dict[RunInfo, int] = {}
        self._several = len({run.seed for run in session.runs}) > 1
        targets = {target for run in session.runs for target in run.targets}
        self._highest = dict.fromkeys(targets, 0.0) if len(targets) > MANY_TARGETS else {}  # confidence by target
        self._total = sum(len(run.targets) for run in session.runs)
        where = f" in {session.folder.path}" if session.folder else ""
        verb = "resuming" if session.resumed else "evolving"
        self._print(f"{session.name}: {verb} {counted(self._total, 'image')}{where}")
        if session.accuracy is not None:
            self._print(f"accuracy of the classifier on the test images: {proportion(session.accuracy)}")
        if self._highest and session.cost is not None and not session.resumed:
            self._print(_format_cost(session.cost))
        drawn = self._screen.is_terminal and not self._screen.is_dumb_terminal
        self._view: View | NotebookView | None = None
        if self._screen.is_jupyter:
            self._view = NotebookView()
        elif drawn:
            self._view = View(self._screen, session, images=self.images)
        self._pace = Pace(self.every if self._view else 10 * self.every, SHARE)
        if self._view is not None:
            self._draw()

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Show the images of the run from now on."""
        if self._view is not None:
            self._view.watch(run, best)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Store the row, and draw if it is time to."""
        self._latest[row.seed, row.target] = row
        self._evaluations[run] = row.evaluations
        if self._highest and row.confidence > self._highest[row.target]:
            self._highest[row.target] = row.confidence
        if self._pace.due():
            with self._pace.drawing():
                self._draw()

    def on_run_end(self, results: list[RunResult]) -> None:
        """Complete the bars of the run, or print a line for each result."""
        for result in results:
            self._ended.add((result.seed, result.target))
            if self._view is not None:
                self._view.keep(result)
            elif len(results) <= MAX_LINES and not self._highest:
                self._print(f"  {_format_result(result, self._session.names)}")

    def on_finish(self, result: Result) -> None:
        """Print the images, the table and the summary."""
        if self._view is not None:
            self._view.close()
            if result.has_many_targets:
                self._view.show_only(result.best())
            self._view.print_images()
        for table in [result.markdown(brief=True)] if self._view is None else _build_tables(result):
            self._print(table)
        self._print(_format_summary(result))

    def on_abort(self) -> None:
        """Close the display."""
        if self._view is not None:
            self._view.close()

    def _print(self, what: str | Table) -> None:
        safe = printable(what) if isinstance(what, str) else what
        self._screen.print(safe, highlight=False, soft_wrap=True, markup=False)

    def _draw(self) -> None:
        evaluations = sum(self._evaluations.values())
        rate = per_second(evaluations, self._pace.elapsed)
        note = f"{len(self._ended)} of {self._total} done, {counted(evaluations, 'evaluation')}, {rate:,.0f}/s"
        classes = [self._classes()] if self._highest else []
        if self._view is None:
            progress = [f"{bar.name}: {bar.note}" for bar in classes] or self._confidences()
            self._print("; ".join([f"  {note}", *progress]))
            return
        overall = Bar("all", len(self._ended) / self._total, note + self._format_time_left(rate))
        crowded = self._total > MAX_BARS
        shown = (row for key, row in self._latest.items() if not (crowded and key in self._ended))
        if self._highest:
            best = heapq.nlargest(MAX_BARS, self._latest, key=lambda run: self._highest[run[1]])
            self._view.prefer(best)
        bars = classes or map(self._bar, itertools.islice(shown, MAX_BARS))
        self._view.draw([overall, *bars], least=1 + len(classes))

    def _confidences(self) -> list[str]:
        """Return the lowest and the highest confidence of the best images of all runs, as text."""
        found = [row.confidence for row in self._latest.values()]
        if not found:
            return []
        lowest, highest = percent(min(found)), percent(max(found))
        return [f"confidence {highest if lowest == highest else f'{lowest} to {highest}'}"]

    def _classes(self) -> Bar:
        """Return how many classes have reached each level; the bar shows the share at the lowest level."""
        counts = [sum(highest >= each for highest in self._highest.values()) for each in LEVELS]
        note = ", ".join(f"{count} at {level(each)}" for count, each in zip(counts, LEVELS, strict=True))
        return Bar("classes", counts[0] / len(self._highest), note)

    def _bar(self, row: LogRow) -> Bar:
        seed = f"seed {row.seed} " if self._several else ""
        ended, budget = (row.seed, row.target) in self._ended, self._session.budget
        done = 1.0 if ended else row.evaluations / budget if budget else 0.0
        note = f"{percent(row.confidence):>9}  {counted(row.evaluations, 'evaluation')}"
        return Bar(f"{seed}target {class_label(row.target, self._session.names)}", done, note)

    def _format_time_left(self, rate: float) -> str:
        """Return the longest time left as text: the time if every run uses its whole budget."""
        budget = self._session.budget
        if budget is None or not rate:
            return ""
        ended = {run for run in self._evaluations if all((run.seed, target) in self._ended for target in run.targets)}
        left = sum(budget - self._evaluations.get(run, 0) for run in self._session.runs if run not in ended)
        return f", < {duration(left / rate)} left"


def _format_cost(cost: Cost) -> str:
    """Return an estimate in one line."""
    time = f", at least {duration(cost.evaluations / cost.rate)} at {cost.rate:,.0f}/s" if cost.rate else ""
    memory = f"{math.ceil(cost.memory / 1e6):,} MB"
    return f"estimate: up to {counted(cost.evaluations, 'evaluation')}{time}, at least {memory} of memory for images"


def _format_summary(result: Result) -> str:
    """Return the results in one line."""
    rate = per_second(result.evaluations, result.seconds)
    sizes = [len(run.front) for run in result if run.front]
    fewest, most = (min(sizes), max(sizes)) if sizes else (0, 0)
    several = f"{fewest} to {most} images" if fewest < most else counted(most, "image")
    parts = [
        f"{sum(run.reached for run in result)} of {len(result)} reached the goal" if result.goal else "",
        f"{several} on the Pareto front of {' and '.join(result.objectives)}" if sizes else "",
        f"{counted(result.evaluations, 'evaluation')} in {result.seconds:.1f} s ({rate:,.0f} per second)",
        str(result.folder or ""),
    ]
    return "; ".join(part for part in parts if part)


def _format_result(result: RunResult, names: Sequence[str]) -> str:
    confidence, predicted = percent(result.confidence), class_label(result.predicted, names)
    agrees = result.predicted == result.target
    seen = f"seen as {predicted} with {confidence}" if agrees else f"{confidence}, seen as {predicted}"
    way = (
        f"after {counted(result.evaluations_to_goal, 'evaluation')}"
        if result.evaluations_to_goal is not None
        else f"goal not reached ({result.stopped})"
    )
    return f"seed {result.seed}, target {class_label(result.target, names)}: {seen}, {way}"


def _build_tables(result: Result) -> Iterator[Table]:
    runs, title = list(result), None
    if result.has_many_targets:
        summary = Table(*[Column(name, justify="right") for name in result.summary()])
        summary.add_row(*result.summary().values())
        yield summary
        runs = result.best()
        title = f"The {len(runs)} images with the highest confidence"
    table = Table(*[Column(name, justify="right") for name in result.header], title=title)
    for run in runs:
        table.add_row(*result.cells(run), style=None if run.reached else "yellow")
    yield table
