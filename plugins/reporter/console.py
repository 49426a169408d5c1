"""Progress and results on screen."""

import math
from typing import ClassVar

from rich.console import Console as Screen
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from fooldeap.lines import printable
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

from ._blocks import Mosaic
from ._gallery import Gallery
from ._pace import Pace

MOST_BARS = 20
SHARE = 0.012  # of the time, for drawing


@reporter("console")
@dataclass(kw_only=True)
class Console(Reporter):
    """Show a bar a target with its best confidence, the best images, the time left, then the table of results.

    Where there is no room for both, the images stay, which say the confidence. ``every`` is in seconds: between two
    drawings, or ten of it between two lines where there is no terminal. Drawing takes little more than one hundredth of
    the time: what takes longer is drawn less often. With ``images`` false, without colours or without a terminal there
    are no images.
    """

    on_screen: ClassVar[bool] = True
    every: Annotated[float, Gt(0)] = 0.25
    images: bool = True

    def on_start(self, session: Session) -> None:
        """Say what begins, and open the display."""
        self._screen = Screen(stderr=False)
        self._drawn = self._screen.is_terminal and not self._screen.is_dumb_terminal
        self._session = session
        self._latest: dict[tuple[int, int], LogRow] = {}
        self._ended: set[tuple[int, int]] = set()
        self._bars: dict[tuple[int, int], TaskID] = {}
        self._spent: dict[RunInfo, int] = {}
        self._several = len({run.seed for run in session.runs}) > 1
        self._total = sum(len(run.targets) for run in session.runs)
        colours = self._screen.color_system is not None and not self._screen.no_color
        self._gallery = Gallery(session) if self.images and self._drawn and colours else None
        where = f" in {session.folder.path}" if session.folder else ""
        verb = "resuming" if session.resumed else "evolving"
        self._say(f"{session.name}: {verb} {self._total} images{where}")
        self._pace = Pace(self.every if self._drawn else 10 * self.every, SHARE)
        text = Column(no_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=text),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[note]}", markup=False, table_column=text.copy()),
            auto_refresh=False,
        )
        self._overall = self._progress.add_task("all", total=self._total, note="")
        self._size = self._screen.size
        self._live = Live(console=self._screen, get_renderable=self._display, auto_refresh=False, transient=True)
        if self._drawn:
            self._live.start()

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Look at its images from now on."""
        if self._gallery is not None:
            self._gallery.watch(run, best)

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
            if self._gallery is not None:
                self._gallery.keep(result)
        if not self._drawn:
            for result in results:
                self._say(f"  {_sentence(result)}")

    def on_finish(self, result: Result) -> None:
        """Show the images and the table."""
        self._live.stop()
        mosaic = self._mosaic(0)
        if mosaic:
            self._screen.print(mosaic)
        self._say(_table(result) if self._drawn else result.markdown())
        reached = sum(run.reached for run in result)
        rate = result.evaluations / result.seconds if result.seconds else 0
        where = f"; {result.folder}" if result.folder else ""
        spent = f"{result.evaluations:,} evaluations in {result.seconds:.1f} s ({rate:,.0f} a second)"
        self._say(f"{reached} of {len(result)} reached the goal; {spent}{where}")

    def on_abort(self) -> None:
        """Leave the screen in order."""
        self._live.stop()

    def _say(self, what: str | Table) -> None:
        safe = printable(what) if isinstance(what, str) else what
        self._screen.print(safe, highlight=False, soft_wrap=True, markup=False)

    def _draw(self) -> None:
        evaluations = sum(self._spent.values())
        rate = evaluations / self._pace.elapsed
        note = f"{len(self._ended)} of {self._total} done, {evaluations:,} evaluations, {rate:,.0f}/s"
        if not self._drawn:
            self._say(f"  {note}")
            return
        self._progress.update(self._overall, completed=len(self._ended), note=f"{note}{self._left(rate)}")
        for key, row in self._latest.items():
            self._update_bar(key, row)
        if self._screen.size != self._size:  # lines that were wrapped are not where they were drawn
            self._size = self._screen.size
            self._screen.clear()
        self._live.refresh()

    def _display(self) -> Group:
        """Return the bars above the images; of the bars the first alone, where both would be cramped."""
        bars = [task for task in self._progress.tasks if task.visible]
        mosaic = self._mosaic(len(bars))
        if mosaic is None or mosaic.cramped:
            mosaic = self._mosaic(1)
            bars = bars[:1] if mosaic else bars
        return Group(self._progress.make_tasks_table(bars), *([mosaic] if mosaic else []))

    def _mosaic(self, taken: int) -> Mosaic | None:
        """Return the images in the room that is left when so many lines are taken."""
        return self._gallery and self._gallery.mosaic(self._screen.width, self._screen.height - 1 - taken)

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
