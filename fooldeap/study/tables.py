"""Write the tables of a study as CSV, JSON and for reports, and format numbers."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from fooldeap import formatting
from fooldeap.formatting import as_csv, grouped
from fooldeap.report.model import Table
from fooldeap.study.analysis_types import Analysis, Factor, Level, Pair, VariantMeasures
from fooldeap.study.outcome import Outcome, RunRow
from fooldeap.study.stats import Estimate
from fooldeap.study.transfer import Cell, Transfer

# --- For programs ---------------------------------------------------------------------------------------------------


def runs_csv(outcome: Outcome) -> str:
    """Return ``runs.csv``: one row per run, sorted. None becomes an empty cell, and floats read back exactly."""
    rows = sorted(outcome.runs, key=lambda run: run.key)
    return _write_csv(RunRow._fields, rows)


def curves_csv(outcome: Outcome) -> str:
    """Return ``curves.csv``: the best confidence so far of each run at each point of the grid."""
    grid = outcome.grid.tolist()
    rows = (
        (*run.key, evaluations, confidence)
        for run in sorted(outcome.runs, key=lambda run: run.key)
        for evaluations, confidence in zip(grid, outcome.curves[run.key].tolist(), strict=True)
    )
    return _write_csv(("variant", "target", "seed", "evaluations", "confidence"), rows)


def factors_csv(outcome: Outcome) -> str:
    """Return ``factors.csv``: the level of each factor for each variant. A missing level is an empty cell."""
    rows = ([name, *(levels.get(name, "") for levels in outcome.factors.values())] for name in outcome.variants)
    return _write_csv(("variant", *outcome.factors), rows)


def _write_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return as_csv([header, *map(_format_cells, rows)])


def _format_cells(row: Sequence[Any]) -> list[Any]:
    # float() because the repr of a numpy float contains its type.
    return [repr(float(value)) if isinstance(value, float) else value for value in row]


def summary_json(outcome: Outcome, analysis: Analysis) -> str:
    """Return ``summary.json``: the study and its complete analysis. Infinity becomes null."""
    summary = {
        "null": "In evaluations, means, ratios and bounds of intervals: infinite, because runs did not reach this "
        "confidence or ended at the goal before it. In friedman: there are fewer than three variants. In candidate: "
        "all pairs were compared.",
        "study": {name: getattr(outcome, name) for name in _SCOPE},
        "variants": {variant.name: _without(variant, "name") for variant in analysis.variants},
        "friedman": analysis.friedman,
        "pairs": [
            {**pair._asdict(), "separated": pair.separated, "identical": pair.identical} for pair in analysis.pairs
        ],
        "cliques": analysis.cliques,
        "factors": [
            {**factor._asdict(), "pairs": [{**pair._asdict(), "separated": pair.separated} for pair in factor.pairs]}
            for factor in analysis.factors
        ],
        "cautions": analysis.cautions,
    }
    return json.dumps(_to_json(summary), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


_SCOPE = (
    "name",
    "classifier",
    "goal",
    "budget",
    "block_budget",
    "variants",
    "targets",
    "seeds",
    "joint",
    "paired",
    "failed",
    "extended",
    "left_out",
    "forced",
    "candidate",
)


def _without(record: Any, name: str) -> dict[str, Any]:
    return {field: value for field, value in record._asdict().items() if field != name}


def _to_json(value: Any) -> Any:
    """Convert a value to JSON types; infinity becomes None."""
    if hasattr(value, "_asdict"):
        return _to_json(value._asdict())
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_to_json(each) for each in value]
    if hasattr(value, "items"):
        return {str(name): _to_json(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- For reports ------------------------------------------------------------------------------------------------------


def variant_table(analysis: Analysis) -> Table:
    """Return the main table, sorted by mean rank."""
    header = ["variant", "success [95 %]", "median [quartiles]", "ERT [95 %]", "restricted mean", "mean rank"]
    rows = [[each.name, *_main_cells(each.overall), f"{each.mean_rank:.2f}"] for each in analysis.variants]
    return Table(header, rows, name="variants")


def _main_cells(measures: VariantMeasures) -> list[str]:
    return [
        share(measures.success),
        spread(measures),
        interval(measures.running_time, grouped),
        grouped(measures.restricted_mean),
    ]


def pair_table(pairs: Iterable[Pair]) -> Table:
    """Return the table of pairs."""
    header = ["first", "second", "p (Holm)", "A12 [95 %]", "ratio [95 %]"]
    return Table(header, [[pair.first, pair.second, *_pair_cells(pair)] for pair in pairs], left=2, name="pairs")


def _pair_cells(pair: Pair) -> list[str]:
    return [probability(pair.p_holm), interval(pair.a12, decimal), interval(pair.ratio, decimal)]


def factor_table(factors: Iterable[Factor]) -> Table:
    """Return the table of levels, sorted by factor and mean rank."""
    header = ["factor", "level", "settings", "success [95 %]", "evaluations", "mean rank"]
    rows = [[factor.name, *_level_cells(factor, level)] for factor in factors for level in factor.levels]
    return Table(header, rows, left=2, name="factors")


def _level_cells(factor: Factor, level: Level) -> list[str]:
    return [
        level.name,
        str(factor.settings),
        share(level.success),
        grouped(level.evaluations),
        f"{level.mean_rank:.2f}",
    ]


def target_table(analysis: Analysis) -> Table:
    """Return median evaluations by variant and target. Many targets become rows instead of columns."""
    targets = list(analysis.variants[0].by_target) if analysis.variants else []
    table = [["variant", *map(str, targets)]]
    for variant in analysis.variants:
        table.append([variant.name, *(grouped(variant.by_target[target].to_goal.median) for target in targets)])
    if len(targets) > _WIDE:
        (_, *names), *rows = zip(*table, strict=True)
        table = [["target", *names], *map(list, rows)]
    return Table(table[0], table[1:])


_WIDE = 12  # maximum number of target columns


def milestone_table(outcome: Outcome, analysis: Analysis) -> Table:
    """Return median evaluations to 50, 90 and 99 % and the final state of the runs.

    Confidences above the goal are left out, because a run ends at its goal.
    """
    end = outcome.goal.get("confidence", 1.0)
    levels = [level for level in (50, 90, 99) if level <= 100 * end]
    header = ["variant", *(f"to {level} %" for level in levels), "final confidence", "area", "diversity"]
    return Table(header, [[each.name, *_milestone_cells(each.overall, levels)] for each in analysis.variants])


def _milestone_cells(measures: VariantMeasures, levels: Sequence[int]) -> list[str]:
    to = [grouped(getattr(measures, f"to_{level}")) for level in levels]
    return [*to, formatting.percent(measures.confidence), decimal(measures.area), f"{measures.diversity:.1f}"]


def transfer_table(transfer: Transfer) -> Table:
    """Return the table of transfer: the images of each variant, shown to each classifier."""
    header = ["variant", "shown to", "images", "taken [95 %]", "at 99 %", "at 99.99 %", "median confidence"]
    return Table(header, [_transfer_cells(cell) for cell in transfer.cells()], left=2)


def _transfer_cells(cell: Cell) -> list[str]:
    name = f"{cell.classifier} (its own)" if cell.own else cell.classifier
    if not cell.images:
        return [cell.variant, name, "0", *["–"] * 4]
    levels = [f"{percent(each.value)} %" for each in (cell.at_99, cell.at_9999)]
    return [cell.variant, name, str(cell.images), share(cell.taken), *levels, formatting.percent(cell.confidence)]


# --- Numbers as text ------------------------------------------------------------------------------------------------


def decimal(value: float) -> str:
    """Format a proportion or ratio with two decimals and no leading zero: .28; three decimals near 0 and 1."""
    if math.isinf(value) or abs(value) >= 100:
        return grouped(value)
    text = f"{value:.2f}"
    if text in ("1.00", "0.00"):
        text = f"{value:.0f}" if value in (0, 1) else f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def probability(p: float) -> str:
    """Format a p-value: .012, < .001. A value below .05 is never rounded to .050."""
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}"
    return "< .05" if p < 0.05 and text == "0.050" else "1" if text == "1.000" else text[1:]


def interval(estimate: Estimate, figure: Any) -> str:
    """Format a statistic with its interval: .28 [.24, .33]. ``figure`` formats one number."""
    if math.isinf(estimate.value) and math.isinf(estimate.low):
        return figure(estimate.value)  # type: ignore[no-any-return]
    return f"{figure(estimate.value)} [{figure(estimate.low)}, {figure(estimate.high)}]"


def share(estimate: Estimate) -> str:
    """Format a share with its interval, in percent: 98.7 % [95.3, 99.6]."""
    return f"{percent(estimate.value)} % [{percent(estimate.low)}, {percent(estimate.high)}]"


def percent(value: float) -> str:
    """Format a share in percent, without the sign: 98.7. Only a share of 1 becomes 100."""
    tenths = round(1000 * value)
    return f"{(tenths if value > _ALL else min(tenths, 999)) / 10:.1f}".removesuffix(".0")


_ALL = 1 - 1e-9  # allows for rounding errors, as in the bound of an interval


def spread(measures: VariantMeasures) -> str:
    """Format the median of the evaluations with the quartiles: 4 100 [3 200, 5 300]."""
    low, median, high = map(grouped, measures.to_goal)
    return median if low == median == high == "∞" else f"{median} [{low}, {high}]"
