"""Draw confidence, and the share of the runs that reached the goal, over evaluations."""

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
    clipped,
    count_lines,
    logit,
    looks,
    make_panels,
    set_log_scale,
    text_width,
    wrap_name,
)
from fooldeap.study.outcome import Floats, Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IN_ONE_PANEL = 6  # variants whose bands can be distinguished in one panel
_LABEL_WIDTH = 46  # letters in a line of the legend
_COLUMNS = 4  # panels side by side


def convergence(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Draw the best confidence so far over evaluations: for each variant the median and the quartiles over its runs.

    More than six variants get one panel each, because their bands would overlap. Each panel shows the medians of the
    other variants in grey.
    """
    curves, look = {name: _quartiles(outcome, name) for name in order}, looks(outcome)
    figure, panels = _share_panel(order) if len(order) <= MOST_IN_ONE_PANEL else _separate_panels(order)
    for panel, name in zip(panels, order, strict=True):
        for evaluations, (_, median, _) in curves.values() if len(order) > MOST_IN_ONE_PANEL else ():
            panel.plot(evaluations, median, color="0.8", linewidth=0.5)
        evaluations, (low, median, high) = curves[name]
        panel.fill_between(evaluations, low, high, color=look[name].colour, alpha=0.2, linewidth=0)
        panel.plot(
            evaluations, median, color=look[name].colour, linestyle=look[name].dash, label=wrap_name(name, _LABEL_WIDTH)
        )
    goal = outcome.goal.get("confidence")
    drawn = [values for _, values in curves.values()] + ([] if goal is None else [clipped(goal)])
    logit(panels[0], min(map(np.min, drawn)), max(map(np.max, drawn)))
    if goal is not None:
        _goal_line(panels, float(clipped(goal)))
    if len(order) <= MOST_IN_ONE_PANEL:
        _legend(figure, panels[0], order)
    return figure


def _quartiles(outcome: Outcome, name: str) -> tuple[NDArray[np.int64], Floats]:
    # A logarithmic axis has no 0. The grid may exceed the budget of this variant, if joint runs have a larger one.
    shown = (outcome.grid > 0) & (outcome.grid <= outcome.budget_of(name))
    curves = [outcome.curves[run.variant, run.target, run.seed] for run in outcome.runs if run.variant == name]
    values = np.quantile(np.array(curves)[:, shown], [0.25, 0.5, 0.75], axis=0)
    return outcome.grid[shown], clipped(values)


def _goal_line(panels: Sequence["Axes"], goal: float) -> None:
    for panel in dict.fromkeys(panels):
        panel.axhline(goal, color="0.3", linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)
    panels[:_COLUMNS][-1].annotate("goal", (1.01, goal), xycoords=("axes fraction", "data"), va="center", color="0.3")


def _separate_panels(order: Sequence[str]) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    labels = [wrap_name(name) for name in order]
    rows = -(-len(order) // _COLUMNS)
    figure = Figure(figsize=(PAGE, rows * (1.15 + LINE * count_lines(labels)) + 0.3), layout="constrained")
    panels = make_panels(figure, rows, _COLUMNS, len(order))
    for panel, label in zip(panels, labels, strict=True):
        panel.set_title(label, pad=3)
        panel.grid()
    figure.supxlabel(EVALUATIONS)
    figure.supylabel(CONFIDENCE)
    return figure, panels


def ecdf(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Draw the share of the runs (with joint variants, of the seeds) that reached the goal, over evaluations."""
    figure, (axes, *_) = _share_panel(order)
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
        axes.step(evaluations, 100 * share, where="post", label=wrap_name(name, _LABEL_WIDTH), **style)
    axes.set_ylim(0, 100)
    axes.set_xlim(start, outcome.block_budget)
    axes.set_xlabel(f"{EVALUATIONS}, all targets" if outcome.joint else EVALUATIONS)
    axes.set_ylabel(f"{'seeds' if outcome.joint else 'runs'} that reached the goal (%)")
    _legend(figure, axes, order)
    return figure


def _start(counts: Floats, end: float) -> float:
    """Return the left end of the axis: below all evaluations, and at least one power of ten below the right end."""
    return float(min(0.8 * counts.min(), 10 ** (np.floor(np.log10(end)) - 1)))


def _shares(counts: Floats, start: float, end: float) -> tuple[Floats, Floats]:
    reached = np.sort(counts[np.isfinite(counts)])
    shares = np.arange(len(reached) + 1) / len(counts)
    return np.array([start, *reached, end]), np.append(shares, shares[-1])


def _share_panel(order: Sequence[str]) -> tuple["Figure", list["Axes"]]:
    """Return a figure of one column width with a legend below, and its only panel once for each variant."""
    from matplotlib.figure import Figure

    row = count_lines([wrap_name(name, _LABEL_WIDTH) for name in order]) * LINE + 0.05
    figure = Figure(figsize=(COLUMN, 2.2 + -(-len(order) // _legend_columns(order)) * row), layout="constrained")
    axes = figure.subplots()
    set_log_scale(axes)
    axes.set(xlabel=EVALUATIONS, ylabel=CONFIDENCE)
    axes.grid()
    return figure, [axes] * len(order)


def _legend(figure: "Figure", axes: "Axes", order: Sequence[str]) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=_legend_columns(order), handlelength=2.4
    )


def _legend_columns(order: Sequence[str]) -> int:
    room = COLUMN // (text_width([wrap_name(name, _LABEL_WIDTH) for name in order]) + 0.5)
    return int(min(max(room, 1), len(order), 3))
