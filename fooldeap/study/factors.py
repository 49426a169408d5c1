"""Compare the levels of each factor of a grid over all settings of the other factors.

A setting is a combination of levels of the other factors. Only settings that have a variant for every level are used.
The value of a level in a block (see `Outcome.blocks`) is the geometric mean of its evaluations over the settings. A run
without success enters with the budget. The geometric mean gives each setting the same weight, fast or slow. The tests
run over blocks, so more settings do not mean more blocks.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from fooldeap.study import stats
from fooldeap.study.analysis_types import Factor, Level
from fooldeap.study.outcome import Floats, Outcome
from fooldeap.study.pairs import Samples, adjust_p_values, compare_pairs, friedman_test, order_by_mean

Setting = Mapping[str, str]  # variant by level


def analyse_factors(outcome: Outcome) -> tuple[Factor, ...]:
    """Return the analysis of each factor. A factor without a complete setting is left out."""
    found = [factor for name in outcome.factors if (factor := _analyse_factor(outcome, name)) is not None]
    family = iter(adjust_p_values(pair for factor in found for pair in factor.pairs))
    return tuple(factor._replace(pairs=tuple(next(family) for _ in factor.pairs)) for factor in found)


def over_settings(evaluations: Sequence[Floats], budget: float) -> Floats:
    """Return the geometric mean over variants of min(evaluations, budget), for each block."""
    mean: Floats = np.exp(np.mean(np.log(np.minimum(evaluations, budget)), axis=0))
    return mean


def _analyse_factor(outcome: Outcome, name: str) -> Factor | None:
    every = find_settings(outcome, name)
    if not every:
        return None
    levels, budget = sorted(every[0]), outcome.block_budget
    samples: Samples = {
        level: over_settings([outcome.blocks(setting[level]) for setting in every], budget) for level in levels
    }
    ranks = stats.mean_ranks([samples[level].ravel() for level in levels])
    ranked = sorted(
        (
            _summarise_level(outcome, level, float(rank), samples, every)
            for level, rank in zip(levels, ranks, strict=True)
        ),
        key=lambda level: (level.mean_rank, level.evaluations, level.name),
    )
    couples = [order_by_mean(couple, samples, budget) for couple in combinations([level.name for level in ranked], 2)]
    return Factor(name, tuple(ranked), len(every), friedman_test(samples), compare_pairs(samples, couples, budget))


def find_settings(outcome: Outcome, name: str) -> list[Setting]:
    """Return the settings of the other factors that have a variant for every level of this factor."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for variant in outcome.variants:
        if all(variant in levels for levels in outcome.factors.values()):
            others = tuple(levels[variant] for factor, levels in outcome.factors.items() if factor != name)
            found.setdefault(others, {})[outcome.factors[name][variant]] = variant
    levels = {level for setting in found.values() for level in setting}
    return [setting for setting in found.values() if set(setting) == levels] if len(levels) > 1 else []


def _summarise_level(outcome: Outcome, name: str, rank: float, samples: Samples, settings: list[Setting]) -> Level:
    goals = np.concatenate([outcome.blocks(setting[name]).ravel() for setting in settings])
    return Level(name, rank, stats.success_rate(goals), float(samples[name].mean()))
