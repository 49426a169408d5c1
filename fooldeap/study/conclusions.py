"""What a study says in plain sentences."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from math import isclose
from typing import NamedTuple

from fooldeap.numerals import goal_text, grouped
from fooldeap.study.findings import SIGNIFICANT, Analysis, Factor, Measures, Pair
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import decimal, interval, percent
from fooldeap.study.words import friedman_text, listed, p_text, ranges, shortened


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
        f"{p_text(pair.p_holm)} after Holm."
    )


def _medians(one: Measures, other: Measures) -> str:
    medians = one.to_goal.median, other.to_goal.median
    text = f"median {' against '.join('not reached' if value == float('inf') else grouped(value) for value in medians)}"
    if one.reached == one.runs and other.reached == other.runs:
        return text
    return f"{text}, success {percent(one.success.value)} % against {percent(other.success.value)} %"


def _unclear(pair: Pair) -> str:
    return (
        f"{pair.first} and {pair.second} differ ({p_text(pair.p_holm)} after Holm), but these runs do not say which "
        f"needs fewer evaluations on average: A12 = {interval(pair.a12, decimal)}, "
        f"ratio {interval(pair.ratio, decimal)}."
    )


def _unseparated(own: Sequence[Pair], neighbours: Sequence[Pair]) -> list[str]:
    found: list[str] = []
    for pairs in (own, neighbours):
        apart = [
            f"{first} from {listed(shortened([f'{pair.second} ({_ratio(pair)})' for pair in group]))}"
            for first, group in groupby(filter(_is_open, pairs), key=lambda pair: pair.first)
        ]
        if apart:
            said = listed(shortened(apart, "more pairs"), "or")
            found.append(f"{'Nor do they' if found else 'These seeds do not'} separate {said}.")
    return found


def _is_open(pair: Pair) -> bool:
    return not pair.separated and not pair.identical


def _ratio(pair: Pair) -> str:
    text = f"ratio {interval(pair.ratio, decimal)}"
    return text if pair.ratio.low <= 1 <= pair.ratio.high else f"{text}, but {p_text(pair.p_holm)} after Holm"


def _identical(analysis: Analysis) -> list[str]:
    groups: list[list[str]] = []
    for pair in analysis.pairs:
        if pair.identical:
            _join(groups, pair.first, pair.second)
    measures = {variant.name: variant.overall for variant in analysis.variants}
    return [_alike(listed(group), measures[group[0]]) for group in groups]


def _alike(names: str, each: Measures) -> str:
    if each.reached == each.runs:
        return f"{names} are identical in these runs: the same evaluations in every block."
    if each.reached:
        came = (
            f"{each.reached} of {each.runs} runs of each reached the goal, with the same evaluations, and no other did"
        )
    else:
        came = "no run of any of them reached the goal"
    return f"{names} cannot be told apart: {came}. A larger budget may help."


def _join(groups: list[list[str]], one: str, other: str) -> None:
    """Put two names that tie throughout into the group that has one of them, or into a new one."""
    for group in groups:
        if one in group or other in group:
            group += [name for name in (one, other) if name not in group]
            return
    groups.append([one, other])


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
