"""Draw the effect of each factor of a grid, over all settings of the other factors and in each setting."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fooldeap.study import stats
from fooldeap.study.analysis_types import Factor
from fooldeap.study.factors import Setting, find_settings
from fooldeap.study.figures.looks import COLOURS, COLUMN, PAGE, wrap_name
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 2.3  # inches, of a panel
MOST_NAMED = 8  # settings with a colour and a label; if there are more, all lines are grey
MOST_FLAT = 4  # levels whose names fit side by side


def effects(outcome: Outcome, factors: Sequence[Factor]) -> "Figure":
    """Draw one panel per factor: the levels over all settings as a bold line, and each setting as a thin line.

    The bold line shows the means over blocks of the values that the tests compare. If the thin lines are parallel to
    it, the factor has the same effect in every setting. If they cross it, the effect depends on the setting.
    """
    from matplotlib.figure import Figure

    columns = min(2, len(factors))
    rows = math.ceil(len(factors) / columns)
    figure = Figure(figsize=(PAGE if columns > 1 else COLUMN, HEIGHT * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, factor in zip(grid, factors, strict=False):
        _draw_panel(axes, outcome, factor)
    for axes in grid[len(factors) :]:
        axes.remove()
    figure.supylabel("evaluations to the goal, the budget at most")
    return figure


def _draw_panel(axes: "Axes", outcome: Outcome, factor: Factor) -> None:
    from matplotlib.ticker import EngFormatter

    levels = [level for level in dict.fromkeys(outcome.factors[factor.name].values()) if level in _means(factor)]
    place = {variant: place for place, variant in enumerate(outcome.factors[factor.name])}  # order of the study file
    every = sorted(
        find_settings(outcome, factor.name), key=lambda setting: min(map(place.__getitem__, setting.values()))
    )
    for number, setting in enumerate(every):
        means = [stats.restricted_mean(outcome.blocks(setting[level]), outcome.block_budget) for level in levels]
        label, colour = (
            (_name_setting(outcome, factor, setting), COLOURS[number]) if len(every) <= MOST_NAMED else (None, "0.7")
        )
        axes.plot(range(len(levels)), means, "-", color=colour, linewidth=0.8, label=label)
    axes.plot(range(len(levels)), [_means(factor)[level] for level in levels], "ko-", markersize=3)
    axes.set_yscale("log")
    for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatted(EngFormatter(sep=""))
    crowded: dict[str, Any] = (
        {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(levels) > MOST_FLAT else {}
    )
    axes.set_xticks(range(len(levels)), [wrap_name(level, 16) for level in levels], **crowded)
    axes.set_title(factor.name)
    axes.grid(axis="y", which="both")
    if len(every) <= MOST_NAMED:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0, handlelength=1)
    axes.margins(x=0.1)


def _means(factor: Factor) -> dict[str, float]:
    return {level.name: level.evaluations for level in factor.levels}


def _name_setting(outcome: Outcome, factor: Factor, setting: Setting) -> str:
    """Return the name of a setting: the levels of the other factors."""
    variant = next(iter(setting.values()))
    others = (levels[variant] for name, levels in outcome.factors.items() if name != factor.name)
    return wrap_name("+".join(others), 16)
