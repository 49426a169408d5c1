"""Draw docs/images/watching.gif, the live view of the main job in a terminal of 80 columns: python tools/film.py."""

import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console, Group
from rich.segment import Segment
from rich.terminal_theme import SVG_EXPORT_THEME

import fooldeap
from fooldeap.plugin import BestYet, ExperimentInfo, LogRow, Reporter, RunInfo, RunResult, dataclass, reporter
from fooldeap_plugins.reporter._bars import Bar, Bars
from fooldeap_plugins.reporter._gallery import Gallery

ROOT = Path(__file__).parent.parent
COLUMNS, LINES = 80, 18
WIDE, HIGH = 8, 16  # width and height of a cell in pixels
FRAMES, LAST = 24, 60_000  # the number of frames, and the evaluations at the frame before the last
BACKGROUND, TEXT = (24, 24, 32), (220, 220, 220)
FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSansMono.ttf")


@reporter("film")
@dataclass
class Film(Reporter):
    """Record frames at numbers of evaluations that are evenly spaced on a logarithmic scale."""

    def on_start(self, session: ExperimentInfo) -> None:
        """Start a new film."""
        Film.frames: list[Image.Image] = []
        self._gallery = Gallery(session)
        self._spent: dict[RunInfo, int] = {}
        self._ended, self._runs = 0, len(session.runs)
        self._moments = list(np.geomspace(1000, LAST, FRAMES - 1))

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Add the run to the gallery."""
        self._gallery.watch(run, best)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Record a frame when the next number of evaluations is reached."""
        self._spent[run] = row.evaluations
        if self._moments and sum(self._spent.values()) >= self._moments[0]:
            del self._moments[0]
            self._record()

    def on_run_end(self, results: list[RunResult]) -> None:
        """Keep the final images; record the last frame after the last run."""
        self._ended += 1
        for result in results:
            self._gallery.keep(result)
        if self._ended == self._runs:
            self._record()

    def _record(self) -> None:
        note = f"{self._ended} of {self._runs} done, {sum(self._spent.values()):,} evaluations"
        bar = Bars([Bar("all", self._ended / self._runs, note)])
        mosaic = self._gallery.mosaic(COLUMNS, LINES - 1)
        Film.frames.append(draw_screen(Group(bar, *([mosaic] if mosaic else []))))


def draw_screen(content: Group) -> Image.Image:
    """Return a picture of a terminal that shows ``content``."""
    screen = Console(width=COLUMNS, height=LINES, force_terminal=True, color_system="truecolor")
    picture = Image.new("RGB", (COLUMNS * WIDE, LINES * HIGH), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.truetype(FONT, 13)
    for line, segments in enumerate(screen.render_lines(content, pad=False)):
        column = 0
        for segment in segments:
            for character in segment.text:
                _draw_cell(draw, font, (column * WIDE, line * HIGH), character, segment)
                column += 1
    return picture


def _draw_cell(draw: ImageDraw.ImageDraw, font: object, at: tuple[int, int], character: str, segment: Segment) -> None:
    (x, y), style = at, segment.style
    colour = tuple(style.color.get_truecolor(SVG_EXPORT_THEME)) if style and style.color else TEXT
    if style and style.bgcolor:
        draw.rectangle((x, y, x + WIDE - 1, y + HIGH - 1), tuple(style.bgcolor.get_truecolor(SVG_EXPORT_THEME)))
    if character == "▀":
        draw.rectangle((x, y, x + WIDE - 1, y + HIGH // 2 - 1), colour)
    elif character == "━":
        draw.rectangle((x, y + HIGH // 2 - 1, x + WIDE - 1, y + HIGH // 2), colour)
    elif character != " ":
        draw.text((x, y), character, colour, font)


def main() -> None:
    """Run the main job and write the film; the last frame is shown for four seconds."""
    with tempfile.TemporaryDirectory() as folder:
        fooldeap.run(ROOT / "configs/mnist.yaml", "reporters=[film]", plugins=[Film], out=Path(folder) / "run")
    palette = Film.frames[-1].quantize(48)  # the same palette for all frames, to avoid flickering
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in Film.frames]
    milliseconds = [200] * (len(frames) - 1) + [4000]
    path = ROOT / "docs/images/watching.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)


if __name__ == "__main__":
    main()
