"""Draw the critical-difference diagram: the mean ranks of the variants and the groups without a separated pair."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fooldeap.study import stats
from fooldeap.study.analysis_types import SIGNIFICANT
from fooldeap.study.figures.looks import LINE, PAGE, count_lines, looks, wrap_name
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.figure import Figure


def critical_differences(
    outcome: Outcome, order: Sequence[str], ranks: Mapping[str, float], p_values: NDArray[np.float64]
) -> "Figure":
    """Draw the mean ranks on an axis. A bar connects a group of variants without a separated pair (Demsar 2006)."""
    import scikit_posthocs
    from matplotlib.figure import Figure
    from pandas import DataFrame

    labels = {wrap_name(name): name for name in order}
    height = 0.5 + (len(order) / 2 + 2) * (LINE * count_lines(list(labels)) + 0.03)
    figure = Figure(figsize=(PAGE, height), layout="constrained")
    axes = figure.subplots()
    drawn = scikit_posthocs.critical_difference_diagram(
        {label: ranks[name] for label, name in labels.items()},
        DataFrame(_joined(outcome, order, ranks, p_values), list(labels), list(labels)),
        ax=axes,
        alpha=SIGNIFICANT,
        label_fmt_left="{label}  {rank:.2f}",
        label_fmt_right="{rank:.2f}  {label}",
        label_props={"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5}},
        text_h_margin=0.03 * (max(ranks.values()) - min(ranks.values())),
        elbow_props={"linewidth": 0.9},
        marker_props={"s": 12},
        color_palette={label: looks(outcome)[name].colour for label, name in labels.items()},
    )
    for elbow, text in zip(drawn["elbows"], drawn["labels"], strict=True):
        name = next(name for label, name in labels.items() if label in text.get_text().split("  "))
        elbow.set_linestyle(looks(outcome)[name].dash)
        text.set_color("black")
    for (bar,) in drawn["crossbars"]:
        # The library takes the ends from a set, whose order varies between processes.
        bar.set_xdata(sorted(bar.get_xdata()))
    axes.spines["top"].set_visible(True)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("mean rank (1: fewest evaluations)")
    return figure


def _joined(
    outcome: Outcome, order: Sequence[str], ranks: Mapping[str, float], p_values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a matrix that is 1 for pairs under a common bar and 0 for other pairs.

    From the p-values, the library would connect two variants that are not separated even if a variant between them is
    separated from them. From this matrix, it draws the same groups as the report.
    """
    places = [outcome.variants.index(name) for name in order]
    joined = np.eye(len(order))
    for clique in stats.cliques([ranks[name] for name in order], p_values[np.ix_(places, places)] < SIGNIFICANT):
        joined[np.ix_(clique, clique)] = 1
    return joined
