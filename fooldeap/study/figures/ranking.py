"""The mean ranks of the variants, and which of them nothing separates."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fooldeap.study import stats
from fooldeap.study.figures.looks import LINE, PAGE, broken, looks, most_lines
from fooldeap.study.findings import SIGNIFICANT
from fooldeap.study.outcome import Outcome

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.figure import Figure


def critical_differences(
    outcome: Outcome, order: Sequence[str], ranks: Mapping[str, float], p_values: NDArray[np.float64]
) -> "Figure":
    """Return the mean ranks on an axis; a bar joins variants that nothing separates (Demsar 2006)."""
    import scikit_posthocs
    from matplotlib.figure import Figure
    from pandas import DataFrame  # type: ignore[import-untyped]

    labels = {broken(name): name for name in order}
    height = 0.5 + (len(order) / 2 + 2) * (LINE * most_lines(list(labels)) + 0.03)
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
        bar.set_xdata(sorted(bar.get_xdata()))  # they come out of a set, in another order in another process
    axes.spines["top"].set_visible(True)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("mean rank (1: fewest evaluations)")
    return figure


def _joined(
    outcome: Outcome, order: Sequence[str], ranks: Mapping[str, float], p_values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a matrix that is 1 for the pairs under one bar, else 0.

    Of the p-values themselves the library would make a bar of any variants that are not separated from one another,
    across one that stands between them and is. Of this matrix it makes the cliques that the report has.
    """
    places = [outcome.variants.index(name) for name in order]
    joined = np.eye(len(order))
    for clique in stats.cliques([ranks[name] for name in order], p_values[np.ix_(places, places)] < SIGNIFICANT):
        joined[np.ix_(clique, clique)] = 1
    return joined
