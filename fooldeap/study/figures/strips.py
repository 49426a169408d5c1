"""Draw the evaluations to the goal of each run, by target."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fooldeap.study import stats
from fooldeap.study.figures.looks import (
    EVALUATIONS,
    LINE,
    PAGE,
    SHOWN,
    count_lines,
    looks,
    make_panels,
    subset_note,
    wrap_name,
)
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def targets(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Draw the evaluations to the goal: one panel per target, one row per variant and one point per run."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    shown = outcome.targets[:SHOWN]
    rows = -(-len(shown) // 5)
    columns = -(-len(shown) // rows)
    labels = [wrap_name(name, 40) for name in order]
    height = max(LINE * count_lines(labels), min(0.25, 1.5 / len(order))) + 0.03
    figure = Figure(figsize=(PAGE, rows * (len(order) * height + 0.35) + 0.5), layout="constrained")
    panels = make_panels(figure, rows, columns, len(shown), sharex=False)
    for panel, target in zip(panels, shown, strict=True):
        panel.set_title(f"target {target}", pad=3)
        low, high = _range(outcome, target)
        panel.set_xlim(low, high)  # set before drawing, because the points may have no width
        _strips(panel, outcome, target, order)
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high < 100 * low else (1,)))
    panels[0].set(yticks=range(len(order)), yticklabels=labels, ylim=(len(order) - 0.5, -0.5))
    figure.supxlabel(EVALUATIONS)
    _key(figure, subset_note(outcome, shown))
    return figure


def _strips(panel: "Axes", outcome: Outcome, target: int, order: Sequence[str]) -> None:
    look = looks(outcome)
    size = min(max(60 / len(outcome.seeds), 5), 14)
    across = np.linspace(-0.3, 0.3, len(outcome.seeds)) if len(outcome.seeds) > 1 else np.zeros(1)
    for row, name in enumerate(order):
        counts = outcome.column(name, "evaluations_to_goal")[outcome.targets.index(target)]
        reached = np.isfinite(counts)
        point: dict[str, Any] = {"marker": look[name].marker, "linewidths": 0.6}
        panel.scatter(counts[reached], row + across[reached], color=look[name].colour, s=size, **point)
        if not reached.all():  # one point for all of them, because they would overlap
            budget = outcome.budget_of(name)
            panel.scatter(budget, row, facecolors="none", edgecolors=look[name].colour, s=12, **point)
            panel.annotate(
                f"{(~reached).sum()}", (budget, row), (3, 0), textcoords="offset points", va="center_baseline"
            )
        median = stats.quantile(counts, 0.5)
        # A white rim makes the median visible among black points.
        for colour, wide in (("white", 1.8), ("black", 1.0)) if np.isfinite(median) else ():
            panel.vlines(median, row - 0.45, row + 0.45, color=colour, linewidth=wide, zorder=3)
        if row % 2:
            panel.axhspan(row - 0.5, row + 0.5, color="0.95", zorder=0, linewidth=0)
    panel.grid(axis="x")
    panel.tick_params(axis="y", length=0)


def _range(outcome: Outcome, target: int) -> tuple[float, float]:
    """Return the axis limits of a target, with space on the right for the number of runs without success."""
    row = outcome.targets.index(target)
    counts = [outcome.column(name, "evaluations_to_goal")[row] for name in outcome.variants]
    ends = [
        np.where(np.isfinite(each), each, outcome.budget_of(name))
        for name, each in zip(outcome.variants, counts, strict=True)
    ]
    low, high = 0.7 * np.min(ends), 1.3 * np.max(ends)
    return float(low), float(high * (high / low) ** 0.15)


def _key(figure: "Figure", note: str) -> None:
    from matplotlib.lines import Line2D

    grey: dict[str, Any] = {"color": "0.3", "linestyle": "none", "markersize": 3}
    handles = [
        Line2D([], [], marker="o", label="run", **grey),
        Line2D(
            [],
            [],
            marker="o",
            markerfacecolor="none",
            label="runs that did not reach the goal within the budget, with their number",
            **grey,
        ),
        Line2D([], [], marker="|", color="black", linestyle="none", markersize=8, label="median, if finite"),
    ]
    figure.legend(handles=handles, title=note or None, loc="outside upper center", ncols=3)
