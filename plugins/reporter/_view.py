"""The display on a terminal: progress bars, and the best images below them."""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from fooldeap.plugin import BestYet, ExperimentInfo, RunInfo, RunResult

from ._bars import Bar, Bars
from ._blocks import Mosaic
from ._gallery import Gallery


class View:
    """The display. It is opened here and stays open until `close`.

    It shows only bars if ``images`` is false or the terminal has no colours.
    """

    def __init__(self, screen: Console, session: ExperimentInfo, *, images: bool) -> None:
        self._screen = screen
        self._width = screen.width  # at the last drawing
        colours = screen.color_system is not None and not screen.no_color
        self._gallery = Gallery(session) if images and colours else None
        self._live = Live(console=screen, auto_refresh=False, transient=True)
        self._live.start()

    def watch(self, run: RunInfo, best: BestYet) -> None:
        """Show the images of a run from now on."""
        if self._gallery is not None:
            self._gallery.watch(run, best)

    def keep(self, result: RunResult) -> None:
        """Store the final image of a run."""
        if self._gallery is not None:
            self._gallery.keep(result)

    def prefer(self, runs: Iterable[tuple[int, int]]) -> None:
        """Show the images of these active runs, each a seed and a target, first."""
        if self._gallery is not None:
            self._gallery.prefer(runs)

    def show_only(self, results: Iterable[RunResult]) -> None:
        """Show only the images of these results."""
        if self._gallery is not None:
            self._gallery.clear()
        for result in results:
            self.keep(result)

    def draw(self, bars: Sequence[Bar], *, least: int = 1) -> None:
        """Draw the bars above the images.

        If the images would be cramped, only the first ``least`` bars are drawn.
        """
        self._return_to_top()
        mosaic = self._images(len(bars))
        if mosaic is None or mosaic.cramped:
            mosaic = self._images(least)
            bars = bars[:least] if mosaic else bars
        self._live.update(Group(Bars(bars), *([mosaic] if mosaic else [])), refresh=True)

    def close(self) -> None:
        """Remove the display and show the cursor again."""
        self._return_to_top()
        self._live.stop()

    def _return_to_top(self) -> None:
        """Move the cursor to the top of the last drawing, if a narrower terminal has wrapped its lines.

        The lines are erased one by one. If the whole screen is erased, some terminals move it to their scrollback.
        """
        drawn, width, width_now = self._live.get_renderable(), self._width, self._screen.width
        self._width = width_now
        if width_now < width:
            options = self._screen.options.update(width=width)
            lines = self._screen.render_lines(drawn, options, pad=False)
            wrapped = sum(max(0, Segment.get_line_length(line) - 1) // width_now for line in lines)
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            self._screen.control(Control(ControlType.CARRIAGE_RETURN, *(up * wrapped)))

    def print_images(self) -> None:
        """Print the images below the removed display."""
        mosaic = self._images(0)
        if mosaic:
            self._screen.print(mosaic)

    def _images(self, taken: int) -> Mosaic | None:
        """Return the images for the area that remains below ``taken`` lines."""
        if self._gallery is None:
            return None
        return self._gallery.mosaic(self._screen.width, self._screen.height - 1 - taken)
