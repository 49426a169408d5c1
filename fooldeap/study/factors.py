"""The effect of each factor of a grid: its levels compared over all settings of the other factors.

A setting is a combination of levels of the others; only those are looked at that have a variant for every level. Of a
block, see `Outcome.blocks`, a level's evaluations are the geometric mean over the settings, the budget standing for a
run without success: each setting has the same weight, whether it is quick or slow. Blocks, and not variants, are what
is tested, so a grid with more settings has no more blocks.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from fooldeap.study import stats
from fooldeap.study.findings import Factor, Level
from fooldeap.study.outcome import Floats, Outcome
from fooldeap.study.pairs import Samples, adjusted, by_mean, friedman, pairs

Setting = Mapping[str, str]  # the variant of each level


def factors(outcome: Outcome) -> tuple[Factor, ...]:
    """Return what each factor does; none of a study that has none, or of which no setting is complete."""
    found = [factor for name in outcome.factors if (factor := _factor(outcome, name)) is not None]
    family = iter(adjusted(pair for factor in found for pair in factor.pairs))
    return tuple(factor._replace(pairs=tuple(next(family) for _ in factor.pairs)) for factor in found)


def over_settings(evaluations: Sequence[Floats], budget: float) -> Floats:
    """Return the geometric mean of the evaluations of several variants, block by block, none above the budget."""
    mean: Floats = np.exp(np.mean(np.log(np.minimum(evaluations, budget)), axis=0))
    return mean


def _factor(outcome: Outcome, name: str) -> Factor | None:
    every = settings(outcome, name)
    if not every:
        return None
    levels, budget = sorted(every[0]), outcome.block_budget
    samples: Samples = {
        level: over_settings([outcome.blocks(setting[level]) for setting in every], budget) for level in levels
    }
    ranks = stats.mean_ranks([samples[level].ravel() for level in levels])
    ranked = sorted(
        (_level(outcome, level, float(rank), samples, every) for level, rank in zip(levels, ranks, strict=True)),
        key=lambda level: (level.mean_rank, level.evaluations, level.name),
    )
    couples = [by_mean(couple, samples, budget) for couple in combinations([level.name for level in ranked], 2)]
    return Factor(name, tuple(ranked), len(every), friedman(samples), pairs(samples, couples, budget))


def settings(outcome: Outcome, name: str) -> list[Setting]:
    """Return the settings of all other factors in which there is a variant for every level of this one."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for variant in outcome.variants:
        if all(variant in levels for levels in outcome.factors.values()):
            others = tuple(levels[variant] for factor, levels in outcome.factors.items() if factor != name)
            found.setdefault(others, {})[outcome.factors[name][variant]] = variant
    levels = {level for setting in found.values() for level in setting}
    return [setting for setting in found.values() if set(setting) == levels] if len(levels) > 1 else []


def _level(outcome: Outcome, name: str, rank: float, samples: Samples, settings: list[Setting]) -> Level:
    goals = np.concatenate([outcome.blocks(setting[name]).ravel() for setting in settings])
    return Level(name, rank, stats.success_rate(goals), float(samples[name].mean()))
