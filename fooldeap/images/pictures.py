"""Draw pictures of results: the contact sheets, the growth curves and the fronts."""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fooldeap.formatting import class_label, percent
from fooldeap.images.drawing import drawing
from fooldeap.plugin import Images
from fooldeap.results import FoolingImage, Result, RunResult, column_of

TILE = 224  # pixels along the longer side of an image on the contact sheet
MOST_HEIGHT = 4000  # pixels of a contact sheet; one row may be higher
_CAPTION = 44  # height in pixels
_GAP = 12  # pixels between tiles
_COLUMNS = 5
_WIDE = 20  # the ratio of the largest to the smallest fitness from which the axis is logarithmic
_LEGEND = 20  # the largest number of targets in a legend
_POINTS = 400  # of a curve of many targets

_Curve = tuple[NDArray[Any], NDArray[Any]]  # evaluations, and the best value so far


def contact_sheets(result: Result) -> Iterator[bytes]:
    """Yield PNGs of all images, enlarged, each with its target, prediction and confidence.

    A sheet has at most about `MOST_HEIGHT` pixels in height. More images are on further sheets.
    """
    several_seeds = len({run.seed for run in result}) > 1
    tiles = (_tile(result, run, show_seed=several_seeds) for run in result)
    for first in tiles:
        rows = max(1, (MOST_HEIGHT - _GAP) // (first.height + _GAP))
        yield _sheet([first, *itertools.islice(tiles, rows * _COLUMNS - 1)])


def side_by_side(pairs: Sequence[tuple[Images, Images]], captions: Sequence[str]) -> bytes:
    """Return a PNG of pairs of images uint8 (h, w, c), each with a caption."""
    tiles = []
    for (one, other), caption in zip(pairs, captions, strict=True):
        scale = max(1, TILE // 2 // max(one.shape[:2]))
        pictures = [Image.open(io.BytesIO(FoolingImage(each).png(scale))) for each in (one, other)]
        tile = Image.new("RGB", (2 * pictures[0].width + 2, pictures[0].height + _CAPTION // 2), "white")
        for index, picture in enumerate(pictures):
            tile.paste(picture, (index * (picture.width + 2), 0))
        ImageDraw.Draw(tile).text((2, pictures[0].height + 3), caption, "black", ImageFont.load_default(13))
        tiles.append(tile)
    return _sheet(tiles or [Image.new("RGB", (1, 1), "white")])


def _sheet(tiles: Sequence[Image.Image]) -> bytes:
    """Return a PNG with the tiles in rows."""
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), "white")
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (_GAP + column * (width + _GAP), _GAP + row * (height + _GAP)))
    return _png(sheet)


def _tile(result: Result, run: RunResult, *, show_seed: bool) -> Image.Image:
    """Return an image with its caption: green if it reached its goal, orange if it is seen as another class."""
    pixels = run.image.pixels
    scale = max(1, TILE // max(pixels.shape[:2]))
    picture = Image.open(io.BytesIO(run.image.png(scale)))
    tile = Image.new("RGB", (max(picture.width, TILE), picture.height + _CAPTION), "white")
    tile.paste(picture, ((tile.width - picture.width) // 2, 0))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(15)
    missed = bool(result.goal) and not run.reached
    colour = "#1a7f37" if not missed else "#505860" if run.predicted == run.target else "#b35900"
    predicted = result.names[run.predicted] if run.predicted < len(result.names) else str(run.predicted)
    confidence = percent(run.confidence)
    agrees = run.predicted == run.target
    seen = (f"seen as {predicted}", f", {confidence}") if agrees else (f"{confidence}, seen as {predicted}", "")
    for top, ink, start, end in (
        (4, "black", f"target {class_label(run.target, result.names)}", f", seed {run.seed}" if show_seed else ""),
        (23, colour, *seen),
    ):
        draw.text((2, picture.height + top), _cut(start, tile.width - 4 - font.getlength(end), font) + end, ink, font)
    return tile


def _cut(text: str, width: float, font: Any) -> str:
    """Return a text that is at most ``width`` pixels wide. If it is cut, it ends with an ellipsis."""
    if font.getlength(text) <= width:
        return text
    shorter = (f"{text[:length]}…" for length in range(len(text) - 1, 0, -1))
    return next((each for each in shorter if font.getlength(each) <= width), "…")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def growth(result: Result) -> bytes:
    """Return a PNG of the best fitness and the best confidence over evaluations, with one curve per run.

    With more than 20 targets, the curves are the highest one and quantiles over the targets.
    """
    return _render(_draw_growth, result, (11, 4.2))


def fronts(result: Result) -> bytes:
    """Return a PNG of the Pareto fronts in their first two objectives, with one curve per run."""
    return _render(_draw_fronts, result, (7, 4.6))


def _render(draw: Callable[[Any, Result], None], result: Result, size: tuple[float, float]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=size, layout="constrained", dpi=130)
        figure.suptitle(result.name, x=0.01, ha="left", fontsize=11)
        draw(figure, result)
        buffer = io.BytesIO()
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(buffer)  # figure.savefig would draw twice
        return buffer.getvalue()


def _draw_growth(figure: Any, result: Result) -> None:
    fitness, confidence = figure.subplots(1, 2)
    for axes, name in ((fitness, "best"), (confidence, "confidence")):
        curves = [(column_of(run.log, "evaluations"), _best_so_far(column_of(run.log, name))) for run in result]
        if result.has_many_targets:
            _draw_quantiles(axes, curves)
        else:
            _draw_curves(axes, curves, [run.target for run in result])
    _label_axes(fitness, "fitness of the best image")
    bests = [column_of(run.log, "best") for run in result]
    lowest, highest = min(each.min() for each in bests), max(each.max() for each in bests)
    fitness.set_yscale("log" if lowest > 0 and highest > _WIDE * lowest else "linear")
    _label_axes(confidence, "confidence in the target")
    confidence.set_ylim(0, 1.02)
    if "confidence" in result.goal:
        goal = result.goal["confidence"]
        confidence.axhline(goal, color="0.4", linewidth=0.8, linestyle="--")
        confidence.annotate(
            f"goal {goal:g}", (0.99, goal - 0.05), xycoords=("axes fraction", "data"), ha="right", color="0.3"
        )
    _add_legend(figure, fitness, "targets" if result.has_many_targets else "target")


def _draw_curves(axes: Any, curves: Sequence[_Curve], targets: Sequence[int]) -> None:
    labelled: set[int] = set()
    for (evaluations, values), target in zip(curves, targets, strict=True):
        style: dict[str, Any] = {"color": f"C{target % 10}", "linewidth": 1.4}
        label = None if target in labelled else f"{target}"
        labelled.add(target)
        axes.step(evaluations, values, where="post", label=label, **style)
        axes.plot(evaluations[-1:], values[-1:], "o", markersize=3.5, color=style["color"])


def _draw_quantiles(axes: Any, curves: Sequence[_Curve]) -> None:
    """Draw the highest curve, the median, and the range between the tenth and the ninetieth percentile."""
    first, last = max(x[0] for x, _ in curves), max(x[-1] for x, _ in curves)
    grid = np.unique(np.linspace(first, last, _POINTS).round())
    table = np.array([y[np.searchsorted(x, grid, side="right") - 1] for x, y in curves])
    low, median, high = np.quantile(table, (0.1, 0.5, 0.9), axis=0)
    axes.fill_between(grid, low, high, step="post", color="C0", alpha=0.25, linewidth=0, label="10 to 90 %")
    axes.step(grid, median, where="post", color="C0", label="median")
    axes.step(grid, table.max(axis=0), where="post", color="C1", label="best")


def _draw_fronts(figure: Any, result: Result) -> None:
    axes = figure.subplots()
    labelled: set[int] = set()
    for run in result:
        first, second = np.array([each.objectives[:2] for each in run.front[::-1]]).reshape(-1, 2).T
        label = None if run.target in labelled else f"{run.target}"
        labelled.add(run.target)
        # Between two members of the front, the first objective is that of the member with the larger second objective.
        axes.step(second, first, "o-", where="pre", label=label, color=f"C{run.target % 10}", markersize=2, linewidth=1)
    _label_axes(axes, *(result.objectives[:2]))
    _add_legend(figure, axes)


def _add_legend(figure: Any, axes: Any, title: str = "target") -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= _LEGEND:
        figure.legend(handles, labels, title=title, loc="outside right center", frameon=False)


def _best_so_far(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.maximum.accumulate(values))


def _label_axes(axes: Any, y_label: str, x_label: str = "evaluations (images shown to the classifier)") -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
