"""Settings that all figures share: sizes, fonts, axes, and the look of a variant."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fooldeap.study.outcome import Floats, Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0  # inches: width of a column and of the text of a paper
TALL = 9.0  # inches: maximum height of a figure on a page, with its caption
SHOWN = 12  # maximum number of targets in a figure
EVALUATIONS = "evaluations (images shown)"
CONFIDENCE = "best confidence (%)"
_LEVELS = (1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)

FONT = 7  # points: the smallest size that is readable in print
LETTER, LINE = 0.6 * FONT / 72, 1.35 * FONT / 72  # inches: mean width of a letter, and height of a line
STYLE = {
    "font.size": FONT,
    "axes.labelsize": FONT,
    "axes.titlesize": FONT,
    "figure.titlesize": FONT,
    "figure.labelsize": FONT,
    "legend.fontsize": FONT,
    "legend.frameon": False,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.4,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
    "svg.hashsalt": "fooldeap",  # makes the identifiers in SVG deterministic
}

# --- Look of a variant ----------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """The look of a variant: colour and dash of its lines, colour and marker of its points."""

    colour: str
    dash: Any
    marker: str


# From Okabe and Ito (2008), with grey instead of yellow, which is hard to see on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999")
_DASHES = ("-", (0, (3.5, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


def looks(outcome: Outcome) -> dict[str, Look]:
    """Return the look of each variant. It depends only on the names. Up to eight variants differ only in colour."""
    found = {}
    for index, name in enumerate(outcome.variants):  # they are sorted
        turn, colour = divmod(index, len(COLOURS))
        found[name] = Look(COLOURS[colour], _DASHES[turn % len(_DASHES)], _MARKERS[turn % len(_MARKERS)])
    return found


def wrap_name(name: str, width: int = 26) -> str:
    """Wrap the name of a variant, because names from a grid can be long.

    Lines end after a plus sign. A part that is too long for one line is also broken after a dash or an underscore.
    """
    lines = [""]
    for part in re.findall(r"[^+]*\+?", name):
        for piece in [part] if len(part) <= width else re.findall(rf"[^_-]{{0,{width - 1}}}[_-]?", part):
            if lines[-1] and len(lines[-1] + piece) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def count_lines(labels: Sequence[str]) -> int:
    """Return the number of lines of the label with the most lines."""
    return max(label.count("\n") + 1 for label in labels)


def text_width(labels: Sequence[str]) -> float:
    """Return the approximate width of the widest label, in inches."""
    return LETTER * max(len(line) for label in labels for line in label.split("\n"))


# --- Panels ---------------------------------------------------------------------------------------------------------


def make_panels(figure: "Figure", rows: int, columns: int, count: int, *, sharex: bool = True) -> list["Axes"]:
    """Return ``count`` panels with shared axes, in rows and columns."""
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False).ravel()
    for index in range(count, len(grid)):
        grid[index].remove()
        grid[index - columns].tick_params(labelbottom=True)
    for axes in grid[: 1 if sharex else count]:
        set_log_scale(axes)
    return list(grid[:count])


def set_log_scale(axes: "Axes") -> None:
    """Set a logarithmic scale for evaluations."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 10k instead of a power, whose exponent is too small in print
    axes.xaxis.set_minor_formatter(NullFormatter())  # labels between powers of ten would overlap


def logit(axes: "Axes", low: float, high: float) -> None:
    """Set a logit scale for confidences, from slightly below ``low`` to slightly above ``high``."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_yscale("logit")
    odds = np.array([low, high]) / (1 - np.array([low, high])) * [0.7, 1.4]
    axes.set_ylim(*(odds / (1 + odds)))
    axes.yaxis.set_major_locator(FixedLocator(_LEVELS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda level, _: f"{100 * level:.7g} %")


def clipped(confidence: Any) -> Floats:
    """Clip confidences to the range that the logit scale can show."""
    within: Floats = np.clip(np.asarray(confidence, float), _LEVELS[0], _LEVELS[-1])
    return within


def subset_note(outcome: Outcome, shown: Sequence[int]) -> str:
    """Return a note that not all targets are shown, or an empty string."""
    return f"the first {len(shown)} of {len(outcome.targets)} targets" if len(shown) < len(outcome.targets) else ""
