"""Write the conclusions of a study as sentences."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from math import isclose
from typing import NamedTuple

from fooldeap.formatting import grouped
from fooldeap.report.model import goal_text
from fooldeap.study.analysis_types import SIGNIFICANT, Analysis, Factor, Friedman, Pair, VariantMeasures
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import decimal, interval, percent
from fooldeap.study.words import format_ranges, friedman_text, join_names, p_text, shorten


class Conclusions(NamedTuple):
    """The conclusions of a study. ``scope`` names goal, classifier, targets and seeds, and ends in a colon."""

    scope: str
    sentences: list[str]


def conclude(outcome: Outcome, analysis: Analysis) -> Conclusions:
    """Return the conclusions of a study.

    They compare the variant on trial with the others. Without a variant on trial, they compare the best variant with
    the others, and neighbours in rank with each other.
    """
    names = [variant.name for variant in analysis.variants]
    reason = _explain_no_comparison(outcome, names)
    if reason:
        return Conclusions("", [reason])
    reference = outcome.candidate or names[0]
    own = [pair for name in names if (pair := analysis.pair(reference, name))]
    neighbours = [pair for couple in pairwise(names) if (pair := analysis.pair(*couple)) and pair not in own]
    sentences = [
        *_overview_sentences(outcome, analysis),
        *map(_factor_headline, analysis.factors),
        *_headline(own, reference),
        *(_clear_sentence(analysis, pair) for pair in own if _direction(pair)),
        *(_unclear_sentence(pair) for pair in (*own, *neighbours) if pair.separated and not _direction(pair)),
        *_unseparated_sentences(own, neighbours),
        *_identical_sentences(analysis),
    ]
    return Conclusions(_scope_text(outcome), sentences)


def _explain_no_comparison(outcome: Outcome, names: Sequence[str]) -> str:
    if not names:
        return "No variant finished, so there is nothing to compare."
    if outcome.candidate and outcome.candidate not in names:
        return f"{outcome.candidate} failed, so there is nothing to compare."
    return f"{names[0]} is the only variant, so there is nothing to compare." if len(names) == 1 else ""


def _scope_text(outcome: Outcome) -> str:
    targets = f"target{'s' * (len(outcome.targets) > 1)} {format_ranges(outcome.targets)}"
    seeds = f"seed{'s' * (len(outcome.seeds) > 1)} {format_ranges(outcome.seeds)}"
    return f"To {goal_text(outcome.goal)}, on {outcome.classifier}, {targets}, {seeds}:"


def _overview_sentences(outcome: Outcome, analysis: Analysis) -> list[str]:
    found = []
    if outcome.candidate:
        found.append(_describe_position(outcome.candidate, {each.name: each.mean_rank for each in analysis.variants}))
    if analysis.friedman:
        found.append(_friedman_sentence("The variants", analysis.friedman))
    return found


def _friedman_sentence(subject: str, test: Friedman) -> str:
    differ = "differ" if test.p < SIGNIFICANT else "do not differ significantly"
    return f"{subject} {differ} (Friedman, {friedman_text(test)})."


def _describe_position(name: str, ranks: Mapping[str, float]) -> str:
    """Return the position of a variant by mean rank, and the variants that it ties with; ``ranks`` ascend."""
    level = [each for each in ranks if isclose(ranks[each], ranks[name])]
    ties = [each for each in level if each != name]
    if len(level) == len(ranks):
        return f"{join_names([name, *ties])} have the same mean rank ({ranks[name]:.2f})."
    first = list(ranks).index(level[0]) + 1
    if ties:
        equal = f"it has the same mean rank ({ranks[name]:.2f}) as {join_names(ties)}"
        return f"{name} is number {first} to {first + len(ties)} of {len(ranks)}: {equal}."
    return f"{name} is number {first} of {len(ranks)} by mean rank ({ranks[name]:.2f})."


# --- Sentences ------------------------------------------------------------------------------------------------------


def _direction(pair: Pair) -> int:
    """Return 1 if the first variant clearly needs fewer evaluations, -1 if it needs more, and 0 if neither is clear.

    It is clear if the test separates the pair, A12 favours one variant, and the interval of the ratio of means lies
    entirely on the same side of 1.
    """
    if pair.separated and pair.a12.value > 0.5 and pair.ratio.high < 1:
        return 1
    return -1 if pair.separated and pair.a12.value < 0.5 and pair.ratio.low > 1 else 0


def _headline(own: Sequence[Pair], reference: str) -> list[str]:
    ahead = {_direction(pair) * (1 if pair.first == reference else -1) for pair in own}
    if len(own) < 2 or len(ahead) > 1 or ahead == {0}:
        return []
    return [f"{reference} needs {'fewer' if ahead == {1} else 'more'} evaluations than every other variant."]


def _clear_sentence(analysis: Analysis, pair: Pair) -> str:
    measures = {variant.name: variant.overall for variant in analysis.variants}
    one, other = measures[pair.first], measures[pair.second]
    return _needs_sentence(pair, f"{_medians_text(one, other)}, ")


def _needs_sentence(pair: Pair, medians: str = "") -> str:
    return (
        f"{pair.first} needs {'fewer' if _direction(pair) > 0 else 'more'} evaluations than {pair.second}: "
        f"{medians}A12 = {decimal(pair.a12.value)}, ratio {interval(pair.ratio, decimal)}, "
        f"{p_text(pair.p_holm)} after Holm."
    )


def _medians_text(one: VariantMeasures, other: VariantMeasures) -> str:
    medians = one.to_goal.median, other.to_goal.median
    text = f"median {' against '.join('not reached' if value == float('inf') else grouped(value) for value in medians)}"
    if one.reached == one.runs and other.reached == other.runs:
        return text
    return f"{text}, success {percent(one.success.value)} % against {percent(other.success.value)} %"


def _unclear_sentence(pair: Pair) -> str:
    return (
        f"{pair.first} and {pair.second} differ ({p_text(pair.p_holm)} after Holm), but these runs do not show which "
        f"one needs fewer evaluations on average: A12 = {interval(pair.a12, decimal)}, ratio "
        f"{interval(pair.ratio, decimal)}."
    )


def _unseparated_sentences(own: Sequence[Pair], neighbours: Sequence[Pair]) -> list[str]:
    found: list[str] = []
    for pairs in (own, neighbours):
        apart = [
            f"{first} from {join_names(shorten([f'{pair.second} ({_ratio_text(pair)})' for pair in group]))}"
            for first, group in groupby(filter(_is_open, pairs), key=lambda pair: pair.first)
        ]
        if apart:
            listed = join_names(shorten(apart, "more pairs"), "or")
            found.append(f"{'They also do not' if found else 'These runs do not'} separate {listed}.")
    return found


def _is_open(pair: Pair) -> bool:
    return not pair.separated and not pair.identical


def _ratio_text(pair: Pair) -> str:
    text = f"ratio {interval(pair.ratio, decimal)}"
    return text if pair.ratio.low <= 1 <= pair.ratio.high else f"{text}, but {p_text(pair.p_holm)} after Holm"


def _identical_sentences(analysis: Analysis) -> list[str]:
    groups: list[list[str]] = []
    for pair in analysis.pairs:
        if pair.identical:
            _merge_group(groups, pair.first, pair.second)
    measures = {variant.name: variant.overall for variant in analysis.variants}
    return [_identical_sentence(join_names(group), measures[group[0]]) for group in groups]


def _identical_sentence(names: str, each: VariantMeasures) -> str:
    if each.reached == each.runs:
        return f"{names} are identical in these runs: they need the same number of evaluations in every block."
    reason = (
        f"in each of them, the same {each.reached} of {each.runs} runs reached the goal, with the same evaluations"
        if each.reached
        else "none of their runs reached the goal"
    )
    return f"{names} cannot be separated: {reason}. A larger budget may help."


def _merge_group(groups: list[list[str]], one: str, other: str) -> None:
    """Add two identical variants to the group that contains one of them, or to a new group."""
    for group in groups:
        if one in group or other in group:
            group += [name for name in (one, other) if name not in group]
            return
    groups.append([one, other])


# --- Factors --------------------------------------------------------------------------------------------------------


def factor_sentences(factor: Factor) -> list[str]:
    """Return the sentences on a factor: whether its levels differ, and how the best level compares with the others."""
    own, test = _pairs_of_best(factor), factor.friedman
    sentences = [
        *([_friedman_sentence("its levels", test)] if test else []),
        *(_needs_sentence(pair) for pair in own if _direction(pair)),
        *(_unclear_sentence(pair) for pair in own if pair.separated and not _direction(pair)),
        *_unseparated_sentences(own, []),
    ]
    return [f"{factor.name}: {sentence}" for sentence in sentences]


def _pairs_of_best(factor: Factor) -> list[Pair]:
    best = factor.levels[0].name
    return [pair for level in factor.levels for pair in factor.pairs if {pair.first, pair.second} == {best, level.name}]


def _factor_headline(factor: Factor) -> str:
    """Summarise the comparison of a factor's levels in one sentence."""
    best, clear = factor.levels[0].name, [pair for pair in _pairs_of_best(factor) if _direction(pair)]
    behind = [pair.second for pair in clear if pair.first == best]
    result = f"{best} needs fewer evaluations than {join_names(behind)}" if behind else "no level is clearly the best"
    return f"By {factor.name}, over all settings of the other factors, {result}."
