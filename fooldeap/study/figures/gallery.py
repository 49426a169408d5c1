"""Draw the best images of each variant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fooldeap.formatting import percent
from fooldeap.study.figures.looks import LINE, PAGE, SHOWN, TALL, subset_note, text_width, wrap_name
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def images(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Draw the best images of the first seed with their confidence: one row per variant, one column per target."""
    from matplotlib.figure import Figure

    shown = outcome.targets[:SHOWN]
    labels = [wrap_name(name) for name in order]
    left, top = text_width(labels) + 0.15, 0.4
    caption = 1.1 * LINE
    step = max(0.36, min(0.9, (PAGE - left) / len(shown), (TALL - top) / len(order) - caption))
    note = "; ".join(
        filter(
            None, [f"seed {outcome.seeds[0]}", "confidence in %, grey: goal not reached", subset_note(outcome, shown)]
        )
    )
    size = max(left + len(shown) * step, text_width([note])), top + len(order) * (step + caption) + caption
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    for row, name in enumerate(order):
        y = top + row * (step + caption)
        axes.text(left - 0.08, y + step / 2, labels[row], ha="right", va="center")
        for column, target in enumerate(shown):
            _tile(axes, outcome, (name, target, outcome.seeds[0]), (left + column * step, y), step)
    for column, target in enumerate(shown):
        axes.text(left + (column + 0.5) * step, top - 0.06, f"{target}", ha="center")
    axes.text(left + len(shown) * step / 2, top - 0.22, "target", ha="center")
    axes.text(0.08, size[1] - 0.06, note)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="auto")
    axes.axis("off")
    return figure


def _tile(axes: "Axes", outcome: Outcome, key: tuple[str, int, int], corner: tuple[float, float], step: float) -> None:
    """Draw one image into the square whose top left corner is ``corner``, with its caption below; sizes in inches."""
    pixels, run = outcome.images[key], outcome.run(*key)
    height, width = pixels.shape[:2]
    # Enlarge the image, because SVG viewers smooth small images.
    enlarged = pixels.repeat(-(-140 // height), axis=0).repeat(-(-140 // width), axis=1)
    scale = (step - 0.05) / max(height, width)
    x, y = corner[0] + (step - scale * width) / 2, corner[1] + (step - 0.05 - scale * height) / 2
    place = (x, x + scale * width, y + scale * height, y)
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.shape[2] == 1 else {}
    axes.imshow(enlarged.squeeze(), extent=place, interpolation="none", **grey)
    colour = "black" if run.evaluations_to_goal is not None else "0.5"
    axes.text(
        corner[0] + step / 2,
        corner[1] + step + 0.02,
        percent(run.confidence).removesuffix(" %"),
        ha="center",
        va="center",
        color=colour,
    )
