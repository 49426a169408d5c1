"""What all figures have in common: sizes, fonts, axes, and how a variant looks."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fooldeap.study.outcome import Floats, Outcome

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0  # inches: a column of a paper, and its text
TALL = 9.0  # inches that a page leaves a figure with its caption
SHOWN = 12  # targets that a figure holds
EVALUATIONS = "evaluations (images shown)"
CONFIDENCE = "best confidence (%)"
_LEVELS = (1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)

FONT = 7  # points: the least that is read in print
LETTER, LINE = 0.6 * FONT / 72, 1.35 * FONT / 72  # inches: a letter's mean width and a line's height
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
    "svg.hashsalt": "fooldeap",  # else identifiers in SVG are random
}

# --- How a variant looks --------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """What tells a variant from the others: for lines a colour and a dash, for points a colour and a marker."""

    colour: str
    dash: Any
    marker: str


# Of Okabe and Ito (2008), but grey for their yellow, which is lost on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999")
_DASHES = ("-", (0, (3.5, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


def looks(outcome: Outcome) -> dict[str, Look]:
    """Return how each variant looks, which follows from the names alone: with up to eight, only colours differ."""
    found = {}
    for index, name in enumerate(outcome.variants):  # they are sorted
        turn, colour = divmod(index, len(COLOURS))
        found[name] = Look(COLOURS[colour], _DASHES[turn % len(_DASHES)], _MARKERS[turn % len(_MARKERS)])
    return found


def broken(name: str, width: int = 26) -> str:
    """Return the name of a variant in lines: what a grid named is longer than the place for it.

    A line ends behind a plus sign, or within what is too long for one behind a dash.
    """
    lines = [""]
    for part in re.findall(r"[^+]*\+?", name):
        for piece in [part] if len(part) <= width else re.findall(rf"[^_-]{{0,{width - 1}}}[_-]?", part):
            if lines[-1] and len(lines[-1] + piece) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def most_lines(labels: Sequence[str]) -> int:
    """Return how many lines the highest of some labels has."""
    return max(label.count("\n") + 1 for label in labels)


def widest(labels: Sequence[str]) -> float:
    """Return the width in inches of the widest of some labels, about."""
    return LETTER * max(len(line) for label in labels for line in label.split("\n"))


# --- Panels ---------------------------------------------------------------------------------------------------------


def grid_of_panels(figure: "Figure", rows: int, columns: int, count: int, *, sharex: bool = True) -> list["Axes"]:
    """Return panels that share their axes; of the last row only so many as are needed."""
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False).ravel()
    for index in range(count, len(grid)):
        grid[index].remove()
        grid[index - columns].tick_params(labelbottom=True)
    for axes in grid[: 1 if sharex else count]:
        logarithmic(axes)
    return list(grid[:count])


def logarithmic(axes: "Axes") -> None:
    """Give axes a logarithmic scale of evaluations."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 10k: the exponent of a power is too small to print
    axes.xaxis.set_minor_formatter(NullFormatter())  # labels between powers of ten run into one another


def logit(axes: "Axes", low: float, high: float) -> None:
    """Give axes a scale of confidences from below ``low`` to above ``high``, as wide near 1 as near 0."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_yscale("logit")
    odds = np.array([low, high]) / (1 - np.array([low, high])) * [0.7, 1.4]
    axes.set_ylim(*(odds / (1 + odds)))
    axes.yaxis.set_major_locator(FixedLocator(_LEVELS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda level, _: f"{100 * level:.7g} %")


def clipped(confidence: Any) -> Floats:
    """Return confidences that such a scale has a place for."""
    within: Floats = np.clip(np.asarray(confidence, float), _LEVELS[0], _LEVELS[-1])
    return within


def budget_of(outcome: Outcome, name: str) -> int:
    """Return the evaluations after which a run of a variant is censored: a joint one has all targets'."""
    return outcome.budget * len(outcome.targets) if name in outcome.joint else outcome.budget


def first_of(outcome: Outcome, shown: Sequence[int]) -> str:
    """Return a note where not all targets are shown, else nothing."""
    return f"the first {len(shown)} of {len(outcome.targets)} targets" if len(shown) < len(outcome.targets) else ""
