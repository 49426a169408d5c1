"""A study as figures for a paper: PNG and SVG, the same bytes whenever they are drawn.

A variant has one colour, dash and marker in all of them, and all list the variants in one order: by mean rank.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap import stats
from fooldeap.study.analysis import SIGNIFICANT
from fooldeap.study.outcome import Floats, Outcome

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0  # inches: a column of a paper, and its text
TALL = 9.0  # inches that a page leaves a figure with its caption
SHOWN = 12  # targets that a figure holds
TOGETHER = 6  # variants whose bands are told apart in one panel
EVALUATIONS = "evaluations (images shown)"
CONFIDENCE = "best confidence (%)"

_LEGEND = 46  # letters of a name in a column
_FONT = 7  # points: the least that is read in print
_LETTER, _LINE = 0.6 * _FONT / 72, 1.35 * _FONT / 72  # inches: a letter's mean width and a line's height
STYLE = {
    "font.size": _FONT,
    "axes.labelsize": _FONT,
    "axes.titlesize": _FONT,
    "figure.titlesize": _FONT,
    "figure.labelsize": _FONT,
    "legend.fontsize": _FONT,
    "legend.frameon": False,
    "xtick.labelsize": _FONT,
    "ytick.labelsize": _FONT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.4,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
    "svg.hashsalt": "fooldeap",  # else identifiers in SVG are random
}


def draw(outcome: Outcome, ranks: Mapping[str, float], p_values: NDArray[np.float64] | None) -> dict[str, bytes]:
    """Return the figures of a study by file name.

    Parameters
    ----------
    outcome : of the study
    ranks : the mean rank of each variant, 1 being the fewest evaluations; equal ones are shown in the order given here
    p_values : (variants, variants), symmetric, in the order of ``outcome.variants``: of each pair, adjusted for their
        number; None where not all pairs were compared, and then there is no figure of critical differences

    Returns
    -------
    dict
        ``convergence``, ``ecdf``, ``targets``, ``images`` and ``critical_differences``, each with ``.png`` and
        ``.svg``; nothing for a study without runs
    """
    from matplotlib import style

    if not outcome.variants:
        return {}
    order = by_rank(outcome, ranks)
    with style.context(STYLE, after_reset=True):  # whatever else this process draws, and how
        figures = {
            "convergence": convergence(outcome, order),
            "ecdf": ecdf(outcome, order),
            "targets": targets(outcome, order),
            "images": images(outcome, order),
        }
        if p_values is not None:
            figures["critical_differences"] = critical_differences(outcome, order, ranks, p_values)
        return {f"{name}.{kind}": _saved(each, kind) for name, each in figures.items() for kind in ("png", "svg")}


def _saved(figure: "Figure", kind: str) -> bytes:
    buffer = io.BytesIO()
    # What names the time or the version of the library would make other bytes of the same picture.
    unnamed = {"png": ("Software",), "svg": ("Date", "Creator")}[kind]
    figure.savefig(buffer, format=kind, metadata=dict.fromkeys(unnamed))
    return buffer.getvalue()


def by_rank(outcome: Outcome, ranks: Mapping[str, float]) -> list[str]:
    """Return the variants, the one of the lowest mean rank first."""
    return sorted((name for name in ranks if name in outcome.variants), key=ranks.__getitem__)


# --- How a variant looks --------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """What tells a variant from the others: for lines a colour and a dash, for points a colour and a marker."""

    colour: str
    dash: Any
    marker: str


# Of Okabe and Ito (2008), but grey for their yellow, which is lost on white.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999")
_DASHES = ("-", (0, (3.5, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


def looks(outcome: Outcome) -> dict[str, Look]:
    """Return how each variant looks, which follows from the names alone: with up to eight, only colours differ."""
    found = {}
    for index, name in enumerate(outcome.variants):  # they are sorted
        turn, colour = divmod(index, len(_COLOURS))
        found[name] = Look(_COLOURS[colour], _DASHES[turn % len(_DASHES)], _MARKERS[turn % len(_MARKERS)])
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


def _lines(labels: Sequence[str]) -> int:
    return max(label.count("\n") + 1 for label in labels)


def _widest(labels: Sequence[str]) -> float:
    return _LETTER * max(len(line) for label in labels for line in label.split("\n"))


# --- Over evaluations -----------------------------------------------------------------------------------------------

_ABREAST = 4  # panels
_LEVELS = (1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


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
    drawn = [values for _, values in curves.values()] + ([] if goal is None else [_clipped(goal)])
    _logit(panels[0], min(map(np.min, drawn)), max(map(np.max, drawn)))
    if goal is not None:
        _goal_line(panels, float(_clipped(goal)))
    if len(order) <= TOGETHER:
        _legend(figure, panels[0], order)
    return figure


def _quartiles(outcome: Outcome, name: str) -> tuple[NDArray[np.int64], Floats]:
    # A logarithmic axis has no 0; a curve goes on beyond what its run could spend where others could spend more.
    shown = (outcome.grid > 0) & (outcome.grid <= _budget(outcome, name))
    curves = [outcome.curves[run.variant, run.target, run.seed] for run in outcome.runs if run.variant == name]
    values = np.quantile(np.array(curves)[:, shown], [0.25, 0.5, 0.75], axis=0)
    return outcome.grid[shown], _clipped(values)


def _clipped(confidence: Any) -> Floats:
    clipped: Floats = np.clip(np.asarray(confidence, float), _LEVELS[0], _LEVELS[-1])
    return clipped


def _goal_line(panels: Sequence["Axes"], goal: float) -> None:
    for panel in dict.fromkeys(panels):
        panel.axhline(goal, color="0.3", linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)
    panels[:_ABREAST][-1].annotate("goal", (1.01, goal), xycoords=("axes fraction", "data"), va="center", color="0.3")


def _panel_each(order: Sequence[str]) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    labels = [broken(name) for name in order]
    rows = -(-len(order) // _ABREAST)
    figure = Figure(figsize=(PAGE, rows * (1.15 + _LINE * _lines(labels)) + 0.3), layout="constrained")
    panels = _grid(figure, rows, _ABREAST, len(order))
    for panel, label in zip(panels, labels, strict=True):
        panel.set_title(label, pad=3)
        panel.grid()
    figure.supxlabel(EVALUATIONS)
    figure.supylabel(CONFIDENCE)
    return figure, panels


def _grid(figure: "Figure", rows: int, columns: int, count: int, *, sharex: bool = True) -> list["Axes"]:
    """Return panels that share their axes; of the last row only so many as are needed."""
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False).ravel()
    for index in range(count, len(grid)):
        grid[index].remove()
        grid[index - columns].tick_params(labelbottom=True)
    for axes in grid[: 1 if sharex else count]:
        _logarithmic(axes)
    return list(grid[:count])


def _logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 10k: the exponent of a power is too small to print
    axes.xaxis.set_minor_formatter(NullFormatter())  # labels between powers of ten run into one another


def _logit(axes: "Axes", low: float, high: float) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_yscale("logit")
    odds = np.array([low, high]) / (1 - np.array([low, high])) * [0.7, 1.4]
    axes.set_ylim(*(odds / (1 + odds)))
    axes.yaxis.set_major_locator(FixedLocator(_LEVELS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda level, _: f"{100 * level:.7g} %")


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

    row = _lines([broken(name, _LEGEND) for name in order]) * _LINE + 0.05
    figure = Figure(figsize=(COLUMN, 2.2 + -(-len(order) // _legend_columns(order)) * row), layout="constrained")
    axes = figure.subplots()
    _logarithmic(axes)
    axes.set(xlabel=EVALUATIONS, ylabel=CONFIDENCE)
    axes.grid()
    return figure, [axes] * len(order)


def _legend(figure: "Figure", axes: "Axes", order: Sequence[str]) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=_legend_columns(order), handlelength=2.4
    )


def _legend_columns(order: Sequence[str]) -> int:
    room = COLUMN // (_widest([broken(name, _LEGEND) for name in order]) + 0.5)
    return int(min(max(room, 1), len(order), 3))


# --- Target by target -----------------------------------------------------------------------------------------------


def targets(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Return each run's evaluations to the goal: a panel a target in its own range, a row a variant, a point a run."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    shown = outcome.targets[:SHOWN]
    rows = -(-len(shown) // 5)
    columns = -(-len(shown) // rows)
    labels = [broken(name, 40) for name in order]
    height = max(_LINE * _lines(labels), min(0.25, 1.5 / len(order))) + 0.03
    figure = Figure(figsize=(PAGE, rows * (len(order) * height + 0.35) + 0.5), layout="constrained")
    panels = _grid(figure, rows, columns, len(shown), sharex=False)
    for panel, target in zip(panels, shown, strict=True):
        panel.set_title(f"target {target}", pad=3)
        low, high = _range(outcome, target)
        panel.set_xlim(low, high)  # before anything is drawn, which might have no width of its own
        _strips(panel, outcome, target, order)
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high < 100 * low else (1,)))
    panels[0].set(yticks=range(len(order)), yticklabels=labels, ylim=(len(order) - 0.5, -0.5))
    figure.supxlabel(EVALUATIONS)
    _key(figure, _first_of(outcome, shown))
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
        if not reached.all():  # one for all: they would lie on one another
            budget = _budget(outcome, name)
            panel.scatter(budget, row, facecolors="none", edgecolors=look[name].colour, s=12, **point)
            panel.annotate(
                f"{(~reached).sum()}", (budget, row), (3, 0), textcoords="offset points", va="center_baseline"
            )
        median = stats.quantile(counts, 0.5)
        # Rimmed, so that it is seen among black points.
        for colour, wide in (("white", 1.8), ("black", 1.0)) if np.isfinite(median) else ():
            panel.vlines(median, row - 0.45, row + 0.45, color=colour, linewidth=wide, zorder=3)
        if row % 2:
            panel.axhspan(row - 0.5, row + 0.5, color="0.95", zorder=0, linewidth=0)
    panel.grid(axis="x")
    panel.tick_params(axis="y", length=0)


def _range(outcome: Outcome, target: int) -> tuple[float, float]:
    """Return the limits of evaluations on a target, with room at the right for the number of runs without success."""
    row = outcome.targets.index(target)
    counts = [outcome.column(name, "evaluations_to_goal")[row] for name in outcome.variants]
    ends = [
        np.where(np.isfinite(each), each, _budget(outcome, name))
        for name, each in zip(outcome.variants, counts, strict=True)
    ]
    low, high = 0.7 * np.min(ends), 1.3 * np.max(ends)
    return float(low), float(high * (high / low) ** 0.15)


def _budget(outcome: Outcome, name: str) -> int:
    """Return the evaluations after which a run of a variant is censored: a joint one has all targets'."""
    return outcome.budget * len(outcome.targets) if name in outcome.joint else outcome.budget


def _first_of(outcome: Outcome, shown: Sequence[int]) -> str:
    return f"the first {len(shown)} of {len(outcome.targets)} targets" if len(shown) < len(outcome.targets) else ""


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
            label="runs that did not reach the goal within the budget, and their number",
            **grey,
        ),
        Line2D([], [], marker="|", color="black", linestyle="none", markersize=8, label="median, where it was reached"),
    ]
    figure.legend(handles=handles, title=note or None, loc="outside upper center", ncols=3)


# --- Mean ranks -----------------------------------------------------------------------------------------------------


def critical_differences(
    outcome: Outcome, order: Sequence[str], ranks: Mapping[str, float], p_values: NDArray[np.float64]
) -> "Figure":
    """Return the mean ranks on an axis; a bar joins variants that nothing separates (Demsar 2006)."""
    import scikit_posthocs
    from matplotlib.figure import Figure
    from pandas import DataFrame  # type: ignore[import-untyped]

    labels = {broken(name): name for name in order}
    height = 0.5 + (len(order) / 2 + 2) * (_LINE * _lines(list(labels)) + 0.03)
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


# --- Images ---------------------------------------------------------------------------------------------------------


def images(outcome: Outcome, order: Sequence[str]) -> "Figure":
    """Return the best images of the first seed, each with its confidence: a row a variant, a column a target."""
    from matplotlib.figure import Figure

    shown = outcome.targets[:SHOWN]
    labels = [broken(name) for name in order]
    left, top = _widest(labels) + 0.15, 0.4
    caption = 1.1 * _LINE
    step = max(0.36, min(0.9, (PAGE - left) / len(shown), (TALL - top) / len(order) - caption))
    note = "; ".join(
        filter(None, [f"seed {outcome.seeds[0]}", "confidence in %, grey: goal not reached", _first_of(outcome, shown)])
    )
    size = max(left + len(shown) * step, _widest([note])), top + len(order) * (step + caption) + caption
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
    """Draw one image into a square below and right of a corner, and its caption below that; all in inches."""
    pixels, run = outcome.images[key], outcome.run(*key)
    height, width = pixels.shape[:2]
    # Enlarged here, as viewers of SVG smooth small images.
    enlarged = pixels.repeat(-(-140 // height), axis=0).repeat(-(-140 // width), axis=1)
    scale = (step - 0.05) / max(height, width)
    x, y = corner[0] + (step - scale * width) / 2, corner[1] + (step - 0.05 - scale * height) / 2
    place = (x, x + scale * width, y + scale * height, y)
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.shape[2] == 1 else {}
    axes.imshow(enlarged.squeeze(), extent=place, interpolation="none", **grey)
    colour = "black" if run.evaluations_to_goal is not None else "0.5"
    axes.text(
        corner[0] + step / 2, corner[1] + step + 0.02, _percent(run.confidence), ha="center", va="center", color=colour
    )


def _percent(confidence: float) -> str:
    """Return a confidence in percent, rounded down: one that falls short of certainty is not 100."""
    return f"{np.floor(1e4 * confidence + 1e-6) / 100:.2f}"
