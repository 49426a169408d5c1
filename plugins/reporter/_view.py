"""What is seen on a terminal while runs are under way: bars, and the best images below them."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from fooldeap.plugin import BestYet, RunInfo, RunResult, Session

from ._bars import Bar, Bars
from ._blocks import Mosaic
from ._gallery import Gallery


class View:
    """The display, open from the start until it is closed. Without ``images``, or without colours, it shows bars."""

    def __init__(self, screen: Console, session: Session, *, images: bool) -> None:
        self._screen = screen
        self._width = screen.width  # that the last drawing was made for
        colours = screen.color_system is not None and not screen.no_color
        self._gallery = Gallery(session) if images and colours else None
        self._live = Live(console=screen, auto_refresh=False, transient=True)
        self._live.start()

    def watch(self, run: RunInfo, best: BestYet) -> None:
        """Look at the images of a run from now on."""
        if self._gallery is not None:
            self._gallery.watch(run, best)

    def keep(self, result: RunResult) -> None:
        """Take the image that a run ended with."""
        if self._gallery is not None:
            self._gallery.keep(result)

    def draw(self, bars: Sequence[Bar]) -> None:
        """Draw the bars above the images; of the bars the first alone, where both would be cramped."""
        self._unwrap()
        mosaic = self._images(len(bars))
        if mosaic is None or mosaic.cramped:
            mosaic = self._images(1)
            bars = bars[:1] if mosaic else bars
        self._live.update(Group(Bars(bars), *([mosaic] if mosaic else [])), refresh=True)

    def close(self) -> None:
        """Remove the display, and show the cursor again."""
        self._unwrap()
        self._live.stop()

    def _unwrap(self) -> None:
        """Go up the lines that a terminal, now narrower, made more of the last drawing, and empty them.

        It is erased line by line: where the whole screen is, some terminals keep it for scrolling back.
        """
        drawn, width, now = self._live.get_renderable(), self._width, self._screen.width
        self._width = now
        if now < width:
            options = self._screen.options.update(width=width)
            lines = self._screen.render_lines(drawn, options, pad=False)
            more = sum(max(0, Segment.get_line_length(line) - 1) // now for line in lines)
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            self._screen.control(Control(ControlType.CARRIAGE_RETURN, *(up * more)))

    def print_images(self) -> None:
        """Print the images for good."""
        mosaic = self._images(0)
        if mosaic:
            self._screen.print(mosaic)

    def _images(self, taken: int) -> Mosaic | None:
        """Return the images in the room that is left when so many lines are taken."""
        if self._gallery is None:
            return None
        return self._gallery.mosaic(self._screen.width, self._screen.height - 1 - taken)
