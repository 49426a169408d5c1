"""What a study says in plain sentences, and what to beware of."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from math import isclose
from typing import NamedTuple

from fooldeap.numerals import goal_text, grouped
from fooldeap.study.findings import (
    EARLY_GENERATIONS,
    SIGNIFICANT,
    Analysis,
    Caution,
    Factor,
    Friedman,
    Measures,
    Pair,
)
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import decimal, interval, percent, probability

_NAMED = 5  # of very many in a sentence


class Conclusions(NamedTuple):
    """What a study says.

    Parameters
    ----------
    scope : what the sentences are about, ending in a colon
    first : sentences on all variants, or on the one on trial
    clear : a sentence for each variant that clearly differs from the best, or from the one on trial
    last : sentences on what is not clear
    """

    scope: str
    first: list[str]
    clear: list[str]
    last: list[str]

    @property
    def sentences(self) -> list[str]:
        """All sentences, in order."""
        return [*self.first, *self.clear, *self.last]


def conclude(outcome: Outcome, analysis: Analysis) -> Conclusions:
    """Return what the study says: of the variant on trial, or else of the best and of neighbours in rank."""
    names = [variant.name for variant in analysis.variants]
    nothing = _nothing(outcome, names)
    if nothing:
        return Conclusions("", [nothing], [], [])
    hero = outcome.tried or names[0]
    own = [pair for name in names if (pair := analysis.pair(hero, name))]
    neighbours = [pair for couple in pairwise(names) if (pair := analysis.pair(*couple)) and pair not in own]
    return Conclusions(
        _scope(outcome),
        [*_standing(outcome, analysis), *map(_by_factor, analysis.factors), *_headline(own, hero)],
        [_clear(analysis, pair) for pair in own if _direction(pair)],
        [
            *(_unclear(pair) for pair in (*own, *neighbours) if pair.separated and not _direction(pair)),
            *_unseparated(own, neighbours),
            *_identical(analysis),
        ],
    )


def _nothing(outcome: Outcome, names: Sequence[str]) -> str:
    if not names:
        return "No variant finished: there is nothing to compare."
    if outcome.tried and outcome.tried not in names:
        return f"{outcome.tried} failed: there is nothing to say of it."
    return f"{names[0]} is the only variant: there is nothing to compare it with." if len(names) == 1 else ""


def _scope(outcome: Outcome) -> str:
    targets = f"target{'s' * (len(outcome.targets) > 1)} {ranges(outcome.targets)}"
    seeds = f"seed{'s' * (len(outcome.seeds) > 1)} {ranges(outcome.seeds)}"
    return f"To {goal_text(outcome.goal)}, on {outcome.classifier}, {targets}, {seeds}:"


def _standing(outcome: Outcome, analysis: Analysis) -> list[str]:
    found = []
    if outcome.tried:
        found.append(_place(outcome.tried, {each.name: each.mean_rank for each in analysis.variants}))
    if analysis.friedman:
        differ = (
            "The variants differ"
            if analysis.friedman.p < SIGNIFICANT
            else "Taken together, the variants are not told apart"
        )
        found.append(f"{differ} (Friedman, {friedman_text(analysis.friedman)}).")
    return found


def _place(name: str, ranks: Mapping[str, float]) -> str:
    """Say where a variant stands among all, by mean ranks that ascend, and with whom it ties."""
    rank = f"by mean rank ({ranks[name]:.2f})"
    level = [each for each in ranks if isclose(ranks[each], ranks[name])]
    ties = [each for each in level if each != name]
    if len(level) == len(ranks):
        return f"{name} ties with {listed(ties)} {rank}."
    first = list(ranks).index(level[0]) + 1
    if ties:
        return f"{name} shares the places {first} to {first + len(ties)} of {len(ranks)} {rank} with {listed(ties)}."
    return f"{name} is number {first} of {len(ranks)} {rank}."


def friedman_text(test: Friedman) -> str:
    """Return the result of Friedman's test: χ²(15) = 35.1, p = .002."""
    return f"χ²({test.freedom}) = {test.chi_square:.1f}, {_p(test.p)}"


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers, three or more in a row as a range: 0–9, 12."""
    if not numbers:
        return "none"
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)


# --- Sentences ------------------------------------------------------------------------------------------------------


def _direction(pair: Pair) -> int:
    """Return 1 where the first clearly needs fewer evaluations, -1 where it needs more, 0 where that is not clear.

    The test alone does not say which; effect size and means must agree, and the means beyond their uncertainty.
    """
    if pair.separated and pair.a12.value > 0.5 and pair.ratio.high < 1:
        return 1
    return -1 if pair.separated and pair.a12.value < 0.5 and pair.ratio.low > 1 else 0


def _headline(own: Sequence[Pair], hero: str) -> list[str]:
    ahead = {_direction(pair) * (1 if pair.first == hero else -1) for pair in own}
    if len(own) < 2 or len(ahead) > 1 or ahead == {0}:
        return []
    return [f"{hero} needs {'fewer' if ahead == {1} else 'more'} evaluations than every other variant."]


def _clear(analysis: Analysis, pair: Pair) -> str:
    measures = {variant.name: variant.overall for variant in analysis.variants}
    one, other = measures[pair.first], measures[pair.second]
    return _needs(pair, f"{_medians(one, other)}, ")


def _needs(pair: Pair, medians: str = "") -> str:
    return (
        f"{pair.first} needs {'fewer' if _direction(pair) > 0 else 'more'} evaluations than {pair.second}: "
        f"{medians}A12 = {decimal(pair.a12.value)}, ratio {interval(pair.ratio, decimal)}, "
        f"{_p(pair.p_holm)} after Holm."
    )


def _medians(one: Measures, other: Measures) -> str:
    medians = one.to_goal.median, other.to_goal.median
    text = f"median {' against '.join('not reached' if value == float('inf') else grouped(value) for value in medians)}"
    if one.reached == one.runs and other.reached == other.runs:
        return text
    return f"{text}, success {percent(one.success.value)} % against {percent(other.success.value)} %"


def _unclear(pair: Pair) -> str:
    return (
        f"{pair.first} and {pair.second} differ ({_p(pair.p_holm)} after Holm), but these runs do not say which needs "
        f"fewer evaluations on average: A12 = {interval(pair.a12, decimal)}, ratio {interval(pair.ratio, decimal)}."
    )


def _unseparated(own: Sequence[Pair], neighbours: Sequence[Pair]) -> list[str]:
    found: list[str] = []
    for pairs in (own, neighbours):
        apart = [
            f"{first} from {listed(_shortened([f'{pair.second} ({_ratio(pair)})' for pair in group]))}"
            for first, group in groupby(filter(_is_open, pairs), key=lambda pair: pair.first)
        ]
        if apart:
            said = listed(_shortened(apart, "more pairs"), "or")
            found.append(f"{'Nor do they' if found else 'These seeds do not'} separate {said}.")
    return found


def _shortened(named: Sequence[str], rest: str = "more") -> Sequence[str]:
    """Return the first of very many, and how many more there are."""
    return [*named[:_NAMED], f"{len(named) - _NAMED} {rest}"] if len(named) > _NAMED + 1 else named


def _is_open(pair: Pair) -> bool:
    return not pair.separated and not pair.identical


def _ratio(pair: Pair) -> str:
    text = f"ratio {interval(pair.ratio, decimal)}"
    return text if pair.ratio.low <= 1 <= pair.ratio.high else f"{text}, but {_p(pair.p_holm)} after Holm"


def _identical(analysis: Analysis) -> list[str]:
    groups: list[list[str]] = []
    for pair in analysis.pairs:
        if pair.identical:
            _join(groups, pair.first, pair.second)
    reached = {variant.name: variant.overall.reached for variant in analysis.variants}
    return [
        f"{listed(group)} are identical in these runs: the same evaluations in every block."
        if reached[group[0]]
        else f"{listed(group)} cannot be told apart: no run of any of them reached the goal. A larger budget may help."
        for group in groups
    ]


def _join(groups: list[list[str]], one: str, other: str) -> None:
    """Put two names that tie throughout into the group that has one of them, or into a new one."""
    for group in groups:
        if one in group or other in group:
            group += [name for name in (one, other) if name not in group]
            return
    groups.append([one, other])


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as in a sentence: a, b and c."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _p(p: float) -> str:
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


# --- Factors --------------------------------------------------------------------------------------------------------


def factor_sentences(factor: Factor) -> list[str]:
    """Return what a study says of a factor: whether its levels differ, and how the best stands to each other."""
    own, test = _of_the_best(factor), factor.friedman
    differ = "differ" if test and test.p < SIGNIFICANT else "are not told apart"
    sentences = [
        *([f"its levels {differ} (Friedman, {friedman_text(test)})."] if test else []),
        *(_needs(pair) for pair in own if _direction(pair)),
        *(_unclear(pair) for pair in own if pair.separated and not _direction(pair)),
        *_unseparated(own, []),
    ]
    return [f"{factor.name}: {sentence}" for sentence in sentences]


def _of_the_best(factor: Factor) -> list[Pair]:
    best = factor.levels[0].name
    return [pair for level in factor.levels for pair in factor.pairs if {pair.first, pair.second} == {best, level.name}]


def _by_factor(factor: Factor) -> str:
    """Return in a sentence what stands in the section on factors."""
    best, clear = factor.levels[0].name, [pair for pair in _of_the_best(factor) if _direction(pair)]
    behind = [pair.second for pair in clear if pair.first == best]
    said = f"{best} needs fewer evaluations than {listed(behind)}" if behind else "no level is clearly the best"
    return f"By {factor.name}, over all settings of the other factors, {said}."


# --- Cautions -------------------------------------------------------------------------------------------------------


def caution_text(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    """Return a caution in words."""
    return _CAUTIONS[caution.kind](outcome, analysis, caution)


def _extended(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        "Extended after results were seen: exploratory. The study was changed when runs of it had ended, which neither "
        "p-values nor intervals allow for."
    )


def _left_out(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        f"Runs that had ended are left out: {listed(_shortened(caution.subjects))}. What they showed could be known "
        "when the study was changed: resume it with them, or say why they are missing."
    )


def _forced(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return f"Gone on with by force although {listed(caution.subjects)}: not all runs were made alike."


def _matched_by_seed(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return "Matched by seed only: not all variants start from the same images, so blocks even out less of the chance."


def _joint(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    every = set(outcome.variants) <= set(caution.subjects)
    subject = (
        "All variants pursue" if every else f"{listed(caution.subjects)} pursue{'s' * (len(caution.subjects) == 1)}"
    )
    others = "" if every else " (in all its runs together, for a variant with a run a target)"
    return (
        f"{subject} all targets in one run. So a block is a seed, with the evaluations until every target was reached"
        f"{others}. An image that a joint run shows counts for each of its targets, so what stands by target compares "
        "joint runs with joint runs alone."
    )


def _few_seeds(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    if caution.value == 1:
        return "There is one seed, of which no interval can be had: those printed are all that is possible."
    return f"There are {caution.value:.0f} seeds: intervals from resampling so few are too narrow."


def _no_power(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    blocks, pairs = analysis.pairs[0].blocks, len(analysis.pairs)
    least = probability(caution.value or 0)
    return (
        f"Too few blocks: with {blocks} of them and {pairs} pair{'s' * (pairs > 1)}, p after Holm is {least} at the "
        "least, so no pair can be separated whatever the runs show."
    )


def _easy_targets(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    target = "Target" if len(caution.subjects) == 1 else "Targets"
    return (
        f"{target} {listed(caution.subjects)}: more than half of all runs reach the goal within {EARLY_GENERATIONS} "
        "generations, too soon to tell the variants apart."
    )


def _ceiling(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        f"{listed(caution.subjects)}: more than half of the runs reach the goal within {EARLY_GENERATIONS} "
        "generations, which leaves little to compare."
    )


def _censored(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        f"{listed(caution.subjects)}: fewer than half of the runs reached the goal within the budget. Their medians "
        "are ∞; their restricted means and ratios hold for this budget and would move with a larger one."
    )


def _ended_early(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    one = caution.value == 1
    return (
        f"{listed(caution.subjects)}: {caution.value:.0f} run{'s' * (not one)} ended before the budget without having "
        f"reached the goal. In tests and restricted means {'it counts' if one else 'they count'} as if the budget had "
        "been spent."
    )


_CAUTIONS: dict[str, Callable[[Outcome, Analysis, Caution], str]] = {
    "extended": _extended,
    "left_out": _left_out,
    "forced": _forced,
    "matched_by_seed": _matched_by_seed,
    "joint": _joint,
    "few_seeds": _few_seeds,
    "no_power": _no_power,
    "easy_targets": _easy_targets,
    "ceiling": _ceiling,
    "censored": _censored,
    "ended_early": _ended_early,
}
