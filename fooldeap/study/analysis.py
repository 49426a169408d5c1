"""What can be said of a study: its figures, tests and cautions, without words for them.

The block is target x seed; where a variant pursues its targets jointly it is the seed, with the evaluations to all
targets, see `Outcome.blocks`. All intervals are 95 %. Every random stream is named by the variants it is for, so that a
figure is the same whatever else the study compares and in whatever order.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from fooldeap import stats
from fooldeap.stats import Estimate
from fooldeap.study.outcome import Floats, Outcome

SIGNIFICANT = 0.05  # of p-values, after Holm where they are of a family
FEW_SEEDS = 5  # below this, intervals by resampling seeds are too narrow to rely on
EARLY_GENERATIONS = 2  # a run that succeeds within them was hardly selected at all

CautionKind = Literal[
    "extended",
    "forced",
    "matched_by_seed",
    "joint",
    "few_seeds",
    "no_power",
    "easy_targets",
    "ceiling",
    "censored",
    "ended_early",
]


class Quartiles(NamedTuple):
    """Of evaluations, censored runs kept: infinite where the quartile falls among them."""

    low: float
    median: float
    high: float


class Measures(NamedTuple):
    """What one variant did, on one target or over all.

    Over all targets of a study with joint variants, a run is a seed: all targets together, their evaluations summed.

    Parameters
    ----------
    runs, reached : how many there were, and how many reached the goal
    success : the share that did, with Wilson's interval
    to_goal : evaluations to the goal
    to_50, to_90, to_99 : the median of the evaluations to 50, 90 and 99 % confidence; infinite as in `Quartiles`. A run
        ends with its goal: what lies beyond that was not tried for
    running_time : expected running time in evaluations, infinite without a success, with its bootstrap interval
    restricted_mean : mean evaluations to the goal, those of a run that did not reach it being the budget
    confidence : the median of the final confidences
    area : the mean of the areas under the convergence curves, from 0 to 1
    diversity : the mean over runs, in grey levels
    """

    runs: int
    reached: int
    success: Estimate
    to_goal: Quartiles
    to_50: float
    to_90: float
    to_99: float
    running_time: Estimate
    restricted_mean: float
    confidence: float
    area: float
    diversity: float


class Variant(NamedTuple):
    """One variant: its mean rank over blocks (1: the fewest evaluations), its figures over targets and on each."""

    name: str
    joint: bool
    mean_rank: float
    overall: Measures
    by_target: Mapping[int, Measures]


class Friedman(NamedTuple):
    """Friedman's test that the variants do not differ."""

    chi_square: float
    freedom: int
    blocks: int
    p: float


class Pair(NamedTuple):
    """One variant against another.

    ``first`` is the one with the smaller restricted mean, or the variant on trial. ``a12`` above .5 and ``ratio`` (of
    restricted means, first over second) below 1 mean that it needs fewer evaluations. ``p_holm`` is that of the
    signed-rank test, adjusted for the family of all pairs in the study's analysis. ``tied`` blocks are those in which
    both need as many, or neither reached the goal.
    """

    first: str
    second: str
    p: float
    p_holm: float
    a12: Estimate
    ratio: Estimate
    blocks: int
    tied: int

    @property
    def separated(self) -> bool:
        """Whether the test tells them apart."""
        return self.p_holm < SIGNIFICANT

    @property
    def identical(self) -> bool:
        """Whether they tie in every block."""
        return self.tied == self.blocks


class Caution(NamedTuple):
    """What a reader must know before believing the rest.

    Parameters
    ----------
    kind : ``extended``: the study was changed after runs of it had ended.
        ``forced``: what else had changed when somebody went on with it.
        ``matched_by_seed``: the variants do not start from the same images.
        ``joint``: blocks are seeds, as the variants named pursue all targets in one run.
        ``few_seeds``: fewer than `FEW_SEEDS`; how many.
        ``no_power``: no pair could be told apart whatever the runs had shown; the smallest p attainable after Holm.
        ``easy_targets``: targets on which more than half of all runs succeed within `EARLY_GENERATIONS` generations.
        ``ceiling``: variants of which more than half of the runs do.
        ``censored``: variants of which fewer than half of the runs (over all targets) reached the goal in the budget.
        ``ended_early``: variants with runs that ended without the goal before their budget; how many such runs.
    subjects : the variants, or the targets, in order
    value : see above, or None
    """

    kind: CautionKind
    subjects: tuple[str, ...] = ()
    value: float | None = None


@dataclass(frozen=True)
class Analysis:
    """All that the report, the tables and the figures say.

    Parameters
    ----------
    variants : by mean rank, the best first
    friedman : None for fewer than three variants
    pairs : in the order of the variants; with a variant on trial, only its own
    cliques : the largest groups that nothing separates, see `stats.cliques`; none with a variant on trial
    cautions : in the order of `CautionKind`
    """

    variants: tuple[Variant, ...]
    friedman: Friedman | None
    pairs: tuple[Pair, ...]
    cliques: tuple[tuple[str, ...], ...]
    cautions: tuple[Caution, ...]

    def pair(self, one: str, other: str) -> Pair | None:
        """Return the comparison of two variants, in the direction that it has; None if they were not compared."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)


def analyse(outcome: Outcome) -> Analysis:
    """Return all figures, tests and cautions of a study."""
    variants = _ranked(outcome)
    names = [variant.name for variant in variants]
    pairs = _pairs(outcome, names)
    return Analysis(
        variants=variants,
        friedman=_friedman(outcome),
        pairs=pairs,
        cliques=() if outcome.tried else _cliques(variants, pairs),
        cautions=tuple(_cautions(outcome, len(pairs))),
    )


def p_values(outcome: Outcome, analysis: Analysis) -> Floats | None:
    """Return the matrix of p-values of pairs, after Holm, in the order of ``outcome.variants``.

    None where not all pairs were compared, or there are fewer than three variants: no diagram can be drawn of them.
    """
    places = {name: place for place, name in enumerate(outcome.variants)}
    if outcome.tried or len(places) < 3:
        return None
    matrix = np.ones((len(places), len(places)))
    for pair in analysis.pairs:
        one, other = places[pair.first], places[pair.second]
        matrix[one, other] = matrix[other, one] = pair.p_holm
    return matrix


# --- One variant ----------------------------------------------------------------------------------------------------


def _ranked(outcome: Outcome) -> tuple[Variant, ...]:
    if not outcome.variants:
        return ()
    ranks = stats.mean_ranks([outcome.blocks(name).ravel() for name in outcome.variants])
    variants = [_variant(outcome, name, float(rank)) for name, rank in zip(outcome.variants, ranks, strict=True)]
    return tuple(sorted(variants, key=lambda each: (each.mean_rank, each.overall.restricted_mean, each.name)))


def _variant(outcome: Outcome, name: str, mean_rank: float) -> Variant:
    by_target = {target: _on_target(outcome, name, row) for row, target in enumerate(outcome.targets)}
    return Variant(name, name in outcome.joint, mean_rank, _overall(outcome, name), by_target)


def _on_target(outcome: Outcome, name: str, row: int) -> Measures:
    # What a joint run may spend is for all its targets, and any of them may be the last.
    budget = outcome.budget * len(outcome.targets) if name in outcome.joint else outcome.budget
    columns = {column: outcome.column(name, column)[[row]] for column in _COLUMNS}
    return _measures(columns, _spent(columns), budget, columns, _seeded("target", name, outcome.targets[row]))


def _overall(outcome: Outcome, name: str) -> Measures:
    columns = {column: outcome.column(name, column) for column in _COLUMNS}
    if not outcome.joint:
        return _measures(columns, _spent(columns), outcome.budget, columns, _seeded("all targets", name))
    whole = np.max if name in outcome.joint else np.sum
    blocks = {column: whole(columns[column], axis=0, keepdims=True) for column in _EVALUATIONS}
    spent = whole(_spent(columns), axis=0, keepdims=True)
    return _measures(blocks, spent, outcome.block_budget, columns, _seeded("all targets", name))


_EVALUATIONS = ("evaluations_to_goal", "evaluations_to_50", "evaluations_to_90", "evaluations_to_99")
_COLUMNS = (*_EVALUATIONS, "evaluations", "confidence", "area", "diversity")


def _spent(columns: Mapping[str, Floats]) -> Floats:
    to_goal = columns["evaluations_to_goal"]
    return np.where(np.isinf(to_goal), columns["evaluations"], to_goal)


def _measures(
    to: Mapping[str, Floats], spent: Floats, budget: int, columns: Mapping[str, Floats], rng: np.random.Generator
) -> Measures:
    goal = to["evaluations_to_goal"]
    to_50, to_90, to_99 = (stats.quantile(to[column], 0.5) for column in _EVALUATIONS[1:])
    return Measures(
        runs=goal.size,
        reached=int(np.isfinite(goal).sum()),
        success=stats.success_rate(goal),
        to_goal=Quartiles(*(stats.quantile(goal, share) for share in (0.25, 0.5, 0.75))),
        to_50=to_50,
        to_90=to_90,
        to_99=to_99,
        running_time=_known(stats.bootstrap_running_time(goal, spent, rng), goal, 0, math.inf),
        restricted_mean=stats.restricted_mean(goal, budget),
        confidence=float(np.median(columns["confidence"])),
        area=float(columns["area"].mean()),
        diversity=float(columns["diversity"].mean()),
    )


def _known(estimate: Estimate, sample: Floats, lowest: float, highest: float) -> Estimate:
    """Return the estimate; of a single seed, which can be resampled in one way only, with all that is possible."""
    return estimate if sample.shape[1] > 1 else Estimate(estimate.value, lowest, highest)


def _seeded(*names: object) -> np.random.Generator:
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


# --- Several variants -----------------------------------------------------------------------------------------------


def _friedman(outcome: Outcome) -> Friedman | None:
    if len(outcome.variants) < 3:
        return None
    blocks = [outcome.blocks(name).ravel() for name in outcome.variants]
    return Friedman(stats.friedman_statistic(blocks), len(blocks) - 1, blocks[0].size, stats.friedman(blocks))


def _pairs(outcome: Outcome, names: Sequence[str]) -> tuple[Pair, ...]:
    tried = outcome.tried
    couples = [couple for couple in combinations(names, 2) if tried is None or tried in couple]
    pairs = [_pair(outcome, *_directed(outcome, *couple)) for couple in couples]
    adjusted = stats.holm([pair.p for pair in pairs])
    return tuple(pair._replace(p_holm=p) for pair, p in zip(pairs, adjusted, strict=True))


def _directed(outcome: Outcome, one: str, other: str) -> tuple[str, str]:
    if outcome.tried is not None:
        return (one, other) if one == outcome.tried else (other, one)
    means = {name: stats.restricted_mean(outcome.blocks(name), outcome.block_budget) for name in (one, other)}
    first, second = sorted(means, key=lambda name: (means[name], name))
    return first, second


def _pair(outcome: Outcome, first: str, second: str) -> Pair:
    one, other = outcome.blocks(first), outcome.blocks(second)
    # The draws are the same in both directions.
    a12 = stats.bootstrap_a12(one, other, _seeded("a12", *sorted((first, second))))
    ratio = stats.bootstrap_ratio(one, other, outcome.block_budget, _seeded("ratio", *sorted((first, second))))
    p = stats.signed_rank(one, other)
    return Pair(
        first,
        second,
        p,
        p,
        _known(a12, one, 0, 1),
        _known(ratio, one, 0, math.inf),
        blocks=one.size,
        tied=int((one == other).sum()),
    )


def _cliques(variants: Sequence[Variant], pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    names = [variant.name for variant in variants]
    apart = np.zeros((len(names), len(names)), bool)
    for pair in pairs:
        places = names.index(pair.first), names.index(pair.second)
        apart[places] = apart[places[::-1]] = pair.separated
    found = stats.cliques([variant.mean_rank for variant in variants], apart)
    return tuple(tuple(names[index] for index in clique) for clique in found)


# --- Cautions -------------------------------------------------------------------------------------------------------


def _cautions(outcome: Outcome, pairs: int) -> list[Caution]:
    if not outcome.variants:
        return []
    return [*_of_design(outcome), *_of_seeds(outcome, pairs), *_of_speed(outcome), *_of_budget(outcome)]


def _of_design(outcome: Outcome) -> list[Caution]:
    found = [Caution("extended")] if outcome.extended else []
    found += [Caution("forced", outcome.forced)] if outcome.forced else []
    found += [] if outcome.paired else [Caution("matched_by_seed")]
    return found + ([Caution("joint", tuple(sorted(outcome.joint)))] if outcome.joint else [])


def _of_seeds(outcome: Outcome, pairs: int) -> list[Caution]:
    seeds = len(outcome.seeds)
    found = [Caution("few_seeds", value=seeds)] if seeds < FEW_SEEDS else []
    attainable = _smallest_p(outcome.blocks(outcome.variants[0]).size, pairs)
    return found + ([Caution("no_power", value=attainable)] if pairs and attainable >= SIGNIFICANT else [])


def _smallest_p(blocks: int, pairs: int) -> float:
    """Return the p after Holm of a pair of which one wins every block, each by another amount."""
    return min(1.0, pairs * stats.signed_rank(np.zeros(blocks), np.arange(1, blocks + 1)))


def _of_speed(outcome: Outcome) -> list[Caution]:
    # Generations count from 0.
    early = {
        name: (outcome.column(name, "generations") < EARLY_GENERATIONS)
        & np.isfinite(outcome.column(name, "evaluations_to_goal"))
        for name in outcome.variants
    }
    by_target = np.mean(list(early.values()), axis=(0, 2))
    targets = tuple(str(target) for target, share in zip(outcome.targets, by_target, strict=True) if share > 0.5)
    names = tuple(name for name in outcome.variants if early[name].mean() > 0.5)
    found = [Caution("easy_targets", targets)] if targets else []
    return found + ([Caution("ceiling", names)] if names else [])


def _of_budget(outcome: Outcome) -> list[Caution]:
    censored = tuple(name for name in outcome.variants if np.isinf(outcome.blocks(name)).mean() > 0.5)
    ended = [
        run.variant
        for run in outcome.runs
        if run.evaluations_to_goal is None and run.stopped not in ("goal", "evaluations")
    ]
    found = [Caution("censored", censored)] if censored else []
    return found + ([Caution("ended_early", tuple(sorted(set(ended))), len(ended))] if ended else [])
