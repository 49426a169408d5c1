"""Figures over evaluations: how confidence grows, and how many runs have reached the goal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.study.figures.looks import (
    COLUMN,
    CONFIDENCE,
    EVALUATIONS,
    LINE,
    PAGE,
    broken,
    budget_of,
    clipped,
    grid_of_panels,
    logarithmic,
    logit,
    looks,
    most_lines,
    widest,
)
from fooldeap.study.outcome import Floats, Outcome

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOGETHER = 6  # variants whose bands are told apart in one panel
_LEGEND = 46  # letters of a name in a column
_ABREAST = 4  # panels


def convergence(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Return the best confidence so far over evaluations: for each variant median and quartiles over all its runs.

    More than a few variants have a panel each, with the medians of the others in grey, as their bands would cover
    one another.
    """
    curves, look = {name: _quartiles(outcome, name) for name in order}, looks(outcome)
    figure, panels = _one_panel(order) if len(order) <= TOGETHER else _panel_each(order)
    for panel, name in zip(panels, order, strict=True):
        for evaluations, (_, median, _) in curves.values() if len(order) > TOGETHER else ():
            panel.plot(evaluations, median, color="0.8", linewidth=0.5)
        evaluations, (low, median, high) = curves[name]
        panel.fill_between(evaluations, low, high, color=look[name].colour, alpha=0.2, linewidth=0)
        panel.plot(evaluations, median, color=look[name].colour, linestyle=look[name].dash, label=broken(name, _LEGEND))
    goal = outcome.goal.get("confidence")
    drawn = [values for _, values in curves.values()] + ([] if goal is None else [clipped(goal)])
    logit(panels[0], min(map(np.min, drawn)), max(map(np.max, drawn)))
    if goal is not None:
        _goal_line(panels, float(clipped(goal)))
    if len(order) <= TOGETHER:
        _legend(figure, panels[0], order)
    return figure


def _quartiles(outcome: Outcome, name: str) -> tuple[NDArray[np.int64], Floats]:
    # A logarithmic axis has no 0; a curve goes on beyond what its run could spend where others could spend more.
    shown = (outcome.grid > 0) & (outcome.grid <= budget_of(outcome, name))
    curves = [outcome.curves[run.variant, run.target, run.seed] for run in outcome.runs if run.variant == name]
    values = np.quantile(np.array(curves)[:, shown], [0.25, 0.5, 0.75], axis=0)
    return outcome.grid[shown], clipped(values)


def _goal_line(panels: Sequence["Axes"], goal: float) -> None:
    for panel in dict.fromkeys(panels):
        panel.axhline(goal, color="0.3", linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)
    panels[:_ABREAST][-1].annotate("goal", (1.01, goal), xycoords=("axes fraction", "data"), va="center", color="0.3")


def _panel_each(order: Sequence[str]) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    labels = [broken(name) for name in order]
    rows = -(-len(order) // _ABREAST)
    figure = Figure(figsize=(PAGE, rows * (1.15 + LINE * most_lines(labels)) + 0.3), layout="constrained")
    panels = grid_of_panels(figure, rows, _ABREAST, len(order))
    for panel, label in zip(panels, labels, strict=True):
        panel.set_title(label, pad=3)
        panel.grid()
    figure.supxlabel(EVALUATIONS)
    figure.supylabel(CONFIDENCE)
    return figure, panels


def ecdf(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Return the share of runs that reached the goal within so many evaluations; in a joint study, of seeds."""
    figure, (axes, *_) = _one_panel(order)
    blocks = {name: outcome.blocks(name).ravel() for name in order}
    start = _start(np.concatenate(list(blocks.values())), outcome.block_budget)
    look = looks(outcome)
    for name, counts in blocks.items():
        evaluations, share = _shares(counts, start, outcome.block_budget)
        style: dict[str, Any] = {
            "color": look[name].colour,
            "linestyle": look[name].dash,
            "clip_on": False,
            "zorder": 3,
        }
        axes.step(evaluations, 100 * share, where="post", label=broken(name, _LEGEND), **style)
    axes.set_ylim(0, 100)
    axes.set_xlim(start, outcome.block_budget)
    axes.set_xlabel(f"{EVALUATIONS}, all targets" if outcome.joint else EVALUATIONS)
    axes.set_ylabel(f"{'seeds' if outcome.joint else 'runs'} that reached the goal (%)")
    _legend(figure, axes, order)
    return figure


def _start(counts: Floats, end: float) -> float:
    """Return where an axis of evaluations begins: below all of them, with two powers of ten until its end."""
    return float(min(0.8 * counts.min(), 10 ** (np.floor(np.log10(end)) - 1)))


def _shares(counts: Floats, start: float, end: float) -> tuple[Floats, Floats]:
    reached = np.sort(counts[np.isfinite(counts)])
    shares = np.arange(len(reached) + 1) / len(counts)
    return np.array([start, *reached, end]), np.append(shares, shares[-1])


def _one_panel(order: Sequence[str]) -> tuple["Figure", list["Axes"]]:
    """Return a figure as wide as a column, with room for the legend below, and the panel of each variant: its only."""
    from matplotlib.figure import Figure

    row = most_lines([broken(name, _LEGEND) for name in order]) * LINE + 0.05
    figure = Figure(figsize=(COLUMN, 2.2 + -(-len(order) // _legend_columns(order)) * row), layout="constrained")
    axes = figure.subplots()
    logarithmic(axes)
    axes.set(xlabel=EVALUATIONS, ylabel=CONFIDENCE)
    axes.grid()
    return figure, [axes] * len(order)


def _legend(figure: "Figure", axes: "Axes", order: Sequence[str]) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=_legend_columns(order), handlelength=2.4
    )


def _legend_columns(order: Sequence[str]) -> int:
    room = COLUMN // (widest([broken(name, _LEGEND) for name in order]) + 0.5)
    return int(min(max(room, 1), len(order), 3))
