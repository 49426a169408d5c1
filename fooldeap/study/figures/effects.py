"""What each factor of a grid does: over all settings of the others, and in each of them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fooldeap.study import stats
from fooldeap.study.factors import Setting, settings
from fooldeap.study.figures.looks import COLOURS, COLUMN, PAGE, broken
from fooldeap.study.findings import Factor
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 2.3  # inches of a panel
NAMED = 8  # settings that are told apart; of more the lines are grey
FLAT = 4  # levels whose names fit beside one another


def effects(outcome: Outcome, factors: Sequence[Factor]) -> "Figure":
    """Return a panel a factor: its levels, bold the mean over blocks of what the tests compare, thin each setting's.

    Thin lines that run alongside the bold one say that the factor does the same in every setting; those that cross
    say that it does not.
    """
    from matplotlib.figure import Figure

    columns = min(2, len(factors))
    rows = math.ceil(len(factors) / columns)
    figure = Figure(figsize=(PAGE if columns > 1 else COLUMN, HEIGHT * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, factor in zip(grid, factors, strict=False):
        _draw(axes, outcome, factor)
    for axes in grid[len(factors) :]:
        axes.remove()
    figure.supylabel("evaluations to the goal, the budget at most")
    return figure


def _draw(axes: "Axes", outcome: Outcome, factor: Factor) -> None:
    from matplotlib.ticker import EngFormatter

    levels = [level for level in dict.fromkeys(outcome.factors[factor.name].values()) if level in _known(factor)]
    place = {variant: place for place, variant in enumerate(outcome.factors[factor.name])}  # as in the file
    every = sorted(settings(outcome, factor.name), key=lambda setting: min(map(place.__getitem__, setting.values())))
    for number, setting in enumerate(every):
        means = [stats.restricted_mean(outcome.blocks(setting[level]), outcome.block_budget) for level in levels]
        label, colour = (_name(outcome, factor, setting), COLOURS[number]) if len(every) <= NAMED else (None, "0.7")
        axes.plot(range(len(levels)), means, "-", color=colour, linewidth=0.8, label=label)
    axes.plot(range(len(levels)), [_known(factor)[level] for level in levels], "ko-", markersize=3)
    axes.set_yscale("log")
    for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatted(EngFormatter(sep=""))
    crowded: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(levels) > FLAT else {}
    axes.set_xticks(range(len(levels)), [broken(level, 16) for level in levels], **crowded)
    axes.set_title(factor.name)
    axes.grid(axis="y", which="both")
    if len(every) <= NAMED:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0, handlelength=1)
    axes.margins(x=0.1)


def _known(factor: Factor) -> dict[str, float]:
    return {level.name: level.evaluations for level in factor.levels}


def _name(outcome: Outcome, factor: Factor, setting: Setting) -> str:
    """Return the levels of the other factors."""
    variant = next(iter(setting.values()))
    others = (levels[variant] for name, levels in outcome.factors.items() if name != factor.name)
    return broken("+".join(others), 16)
