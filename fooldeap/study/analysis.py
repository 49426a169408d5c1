"""Compute the statistics, tests and cautions of a study from its runs.

A block is one target with one seed. If any variant pursues its targets jointly, a block is one seed, and its value is
the number of evaluations to all targets; see `Outcome.blocks`. All intervals are 95 % confidence intervals.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from fooldeap.study import stats
from fooldeap.study.analysis_types import Analysis, Pair, Quartiles, Variant, VariantMeasures
from fooldeap.study.cautions import find_cautions
from fooldeap.study.factors import analyse_factors
from fooldeap.study.outcome import Floats, Outcome
from fooldeap.study.pairs import (
    Samples,
    adjust_p_values,
    compare_pairs,
    friedman_test,
    order_by_mean,
    random_stream,
    widen_for_one_seed,
)


def analyse(outcome: Outcome) -> Analysis:
    """Return all statistics, tests and cautions of a study."""
    variants = _rank_variants(outcome)
    names = [variant.name for variant in variants]
    samples = {name: outcome.blocks(name) for name in outcome.variants}
    found = adjust_p_values(compare_pairs(samples, _choose_pairs(outcome, names, samples), outcome.block_budget))
    return Analysis(
        variants=variants,
        friedman=friedman_test(samples),
        pairs=found,
        cliques=() if outcome.candidate else _find_cliques(variants, found),
        factors=analyse_factors(outcome),
        cautions=tuple(find_cautions(outcome, len(found))),
    )


def p_values(outcome: Outcome, analysis: Analysis) -> Floats | None:
    """Return the matrix of Holm-adjusted p-values of all pairs, in the order of ``outcome.variants``.

    Return None if not all pairs were compared or there are fewer than three variants. A critical-difference diagram
    cannot be drawn in these cases.
    """
    places = {name: place for place, name in enumerate(outcome.variants)}
    if outcome.candidate or len(places) < 3:
        return None
    matrix = np.ones((len(places), len(places)))
    for pair in analysis.pairs:
        one, other = places[pair.first], places[pair.second]
        matrix[one, other] = matrix[other, one] = pair.p_holm
    return matrix


# --- One variant ----------------------------------------------------------------------------------------------------


def _rank_variants(outcome: Outcome) -> tuple[Variant, ...]:
    if not outcome.variants:
        return ()
    ranks = stats.mean_ranks([outcome.blocks(name).ravel() for name in outcome.variants])
    variants = [
        _summarise_variant(outcome, name, float(rank)) for name, rank in zip(outcome.variants, ranks, strict=True)
    ]
    return tuple(sorted(variants, key=lambda each: (each.mean_rank, each.overall.restricted_mean, each.name)))


def _summarise_variant(outcome: Outcome, name: str, mean_rank: float) -> Variant:
    by_target = {target: _measure_target(outcome, name, row) for row, target in enumerate(outcome.targets)}
    return Variant(name, name in outcome.joint, mean_rank, _measure_overall(outcome, name), by_target)


def _measure_target(outcome: Outcome, name: str, row: int) -> VariantMeasures:
    columns = {column: outcome.column(name, column)[[row]] for column in _COLUMNS}
    rng = random_stream("target", name, outcome.targets[row])
    return _measure(columns, _count_spent(columns), outcome.budget_of(name), columns, rng)


def _measure_overall(outcome: Outcome, name: str) -> VariantMeasures:
    columns = {column: outcome.column(name, column) for column in _COLUMNS}
    if not outcome.joint:
        return _measure(columns, _count_spent(columns), outcome.budget, columns, random_stream("all targets", name))
    whole = np.max if name in outcome.joint else np.sum
    blocks = {column: whole(columns[column], axis=0, keepdims=True) for column in _EVALUATIONS}
    spent = whole(_count_spent(columns), axis=0, keepdims=True)
    return _measure(blocks, spent, outcome.block_budget, columns, random_stream("all targets", name))


_EVALUATIONS = ("evaluations_to_goal", "evaluations_to_50", "evaluations_to_90", "evaluations_to_99")
_COLUMNS = (*_EVALUATIONS, "evaluations", "confidence", "area", "diversity")


def _count_spent(columns: Mapping[str, Floats]) -> Floats:
    to_goal = columns["evaluations_to_goal"]
    return np.where(np.isinf(to_goal), columns["evaluations"], to_goal)


def _measure(
    to: Mapping[str, Floats], spent: Floats, budget: int, columns: Mapping[str, Floats], rng: np.random.Generator
) -> VariantMeasures:
    goal = to["evaluations_to_goal"]
    to_50, to_90, to_99 = (stats.quantile(to[column], 0.5) for column in _EVALUATIONS[1:])
    return VariantMeasures(
        runs=goal.size,
        reached=int(np.isfinite(goal).sum()),
        success=stats.success_rate(goal),
        to_goal=Quartiles(*(stats.quantile(goal, share) for share in (0.25, 0.5, 0.75))),
        to_50=to_50,
        to_90=to_90,
        to_99=to_99,
        running_time=widen_for_one_seed(stats.bootstrap_running_time(goal, spent, rng), goal, 0, math.inf),
        restricted_mean=stats.restricted_mean(goal, budget),
        confidence=float(np.median(columns["confidence"])),
        area=float(columns["area"].mean()),
        diversity=float(columns["diversity"].mean()),
    )


# --- Several variants -----------------------------------------------------------------------------------------------


def _choose_pairs(outcome: Outcome, names: Sequence[str], samples: Samples) -> list[tuple[str, str]]:
    """Return the pairs to compare: all pairs, or those of the variant on trial, which is named first."""
    candidate = outcome.candidate
    if candidate is None:
        return [order_by_mean(couple, samples, outcome.block_budget) for couple in combinations(names, 2)]
    return [(candidate, name) for name in names if name != candidate and candidate in names]


def _find_cliques(variants: Sequence[Variant], pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    names = [variant.name for variant in variants]
    apart = np.zeros((len(names), len(names)), bool)
    for pair in pairs:
        places = names.index(pair.first), names.index(pair.second)
        apart[places] = apart[places[::-1]] = pair.separated
    found = stats.cliques([variant.mean_rank for variant in variants], apart)
    return tuple(tuple(names[index] for index in clique) for clique in found)
