"""A study in words: ``report.md``, and the verdict for the terminal."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from fooldeap.stats import Estimate
from fooldeap.study import tables
from fooldeap.study.analysis import EARLY_GENERATIONS, Analysis, Caution, Pair, Variant
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import count, decimal, interval, markdown_table, markdown_text, probability

FIGURES = {
    "convergence": "Confidence of the best image until each evaluation: median and quartiles over runs",
    "ecdf": "Share of the runs that reached the goal within so many evaluations",
    "targets": "Evaluations to the goal, run by run, for each target",
    "ranks": "Mean ranks; variants under one bar are not separated",
    "images": "The best image of each variant",
}
FEW_VARIANTS = 8  # up to so many, the report has every pair
WIDTH = 100  # columns of the terminal
LINES = 12  # of sentences in the terminal


def markdown(outcome: Outcome, analysis: Analysis) -> str:
    """Return ``report.md``; its figures are expected in ``figures/`` beside it."""
    conclusions = _section(_heading(outcome), _bullets(_conclusions(outcome, analysis).all))
    parts = [f"# {markdown_text(outcome.name)}", _scope(outcome)]
    parts += [conclusions] if outcome.tried else []
    parts += [_warnings(outcome, analysis), _failures(outcome)]
    parts += [*_results(outcome, analysis), _method(outcome, analysis)] if analysis.variants else []
    parts += [] if outcome.tried else [conclusions]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(outcome: Outcome, analysis: Analysis) -> str:
    """Return what the terminal shows at the end: the main table and the conclusions, at most 100 columns wide."""
    conclusions = _conclusions(outcome, analysis)
    failures = [f"{name} failed: {why}" for name, why in sorted(outcome.failed.items())]
    warnings = [_caution(outcome, analysis, caution) for caution in analysis.cautions]
    table = [_aligned(tables.variant_table(analysis)), ""] if analysis.variants else []
    short = [line for text in (*failures, *(f"Note: {text}" for text in warnings)) for line in _wrapped(text)]
    return "\n".join([*table, *_shortened(conclusions), *([""] if short else []), *short]) + "\n"


# --- The parts of the report ----------------------------------------------------------------------------------------


def _section(title: str, *paragraphs: str) -> str:
    return "\n\n".join([f"## {title}", *(paragraph for paragraph in paragraphs if paragraph)])


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_text(text)}" for text in texts)


def _scope(outcome: Outcome) -> str:
    start = (
        "paired: in a block, all variants start from the same images"
        if outcome.paired
        else "matched by seed only: the variants do not start from the same images"
    )
    texts = [
        f"classifier: {outcome.classifier}",
        f"targets: {_ranges(outcome.targets)}; seeds: {_ranges(outcome.seeds)}; variants: {len(outcome.variants)}",
        f"goal: {_goal(outcome)}, within {count(outcome.budget)} evaluations a target",
        start,
    ]
    counted = "Evaluations are distinct images shown to the classifier. The statements below are about this classifier"
    return f"{_bullets(texts)}\n\n{counted}, these targets and this budget."


def _goal(outcome: Outcome) -> str:
    words = {"confidence": lambda goal: f"{100 * goal:.10g} % confidence", "score": lambda goal: f"a score of {goal:g}"}
    return " or ".join(words[name](goal) for name, goal in sorted(outcome.goal.items()))


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers, three or more in a row as a range: 0-9, 12."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)


def _warnings(outcome: Outcome, analysis: Analysis) -> str:
    texts = [_caution(outcome, analysis, caution) for caution in analysis.cautions]
    return _section("Before you read on", _bullets(texts)) if texts else ""


def _failures(outcome: Outcome) -> str:
    texts = [f"{name}: {why}" for name, why in sorted(outcome.failed.items())]
    return _section("Failed variants", "They are in no figure and no test.", _bullets(texts)) if texts else ""


def _results(outcome: Outcome, analysis: Analysis) -> list[str]:
    unit = "A run is a seed here, with the evaluations to all targets. " if outcome.joint else ""
    return [
        _section(
            "Evaluations to the goal",
            f"{unit}Over all targets, by mean rank, 1 being the fewest evaluations. Runs without success are kept: "
            "∞ in medians and quartiles, the budget in the restricted mean.",
            markdown_table(tables.variant_table(analysis)),
            _friedman(analysis),
        ),
        _section("By target", "Median evaluations to the goal.", markdown_table(tables.target_table(analysis))),
        _section(
            "On the way",
            "Median evaluations to 50, 90 and 99 % confidence; median confidence at the end; means of the area under "
            "the convergence curve (1: certain from the first image on) and of the diversity in grey levels.",
            markdown_table(tables.milestone_table(analysis)),
        ),
        _section("Figures", *(f"![{words}](figures/{name}.png)" for name, words in FIGURES.items())),
        _pairs(outcome, analysis),
    ]


def _pairs(outcome: Outcome, analysis: Analysis) -> str:
    if not analysis.pairs:
        return ""
    shown = _shown(outcome, analysis)
    rest = (
        f"Here are the best against each other one, and neighbours in rank; all {len(analysis.pairs)} pairs are in "
        "`summary.json` and `pairs.tex`."
        if len(shown) < len(analysis.pairs)
        else ""
    )
    return _section(
        "Pairs",
        "A12: the chance that a run of the first needs fewer evaluations than one of the second for the same target. "
        f"Ratio: restricted mean of the first over that of the second. {rest}".rstrip(),
        markdown_table(tables.pair_table(shown), left=2),
    )


def _shown(outcome: Outcome, analysis: Analysis) -> list[Pair]:
    names = [variant.name for variant in analysis.variants]
    if outcome.tried or len(names) <= FEW_VARIANTS:
        return list(analysis.pairs)
    neighbours = [set(couple) for couple in pairwise(names)]
    return [
        pair
        for pair in analysis.pairs
        if names[0] in (pair.first, pair.second) or {pair.first, pair.second} in neighbours
    ]


def _method(outcome: Outcome, analysis: Analysis) -> str:
    block = "the seed, with the evaluations to all targets" if outcome.joint else "target × seed"
    family = f"the {len(analysis.pairs)} pairs" + (
        f" of {outcome.tried} with each other variant" if outcome.tried else ""
    )
    return _section(
        "Method",
        markdown_text(
            "Success rates have Wilson's score interval (Wilson 1927). ERT is the expected running time with restarts, "
            "all evaluations over the number of successes (Auger and Hansen 2005). The restricted mean takes the budget "
            f"for a run without success (Irwin 1949). Blocks are {block}. Variants are compared by Friedman's test "
            "(Friedman 1937) where there are three or more, and in pairs by Wilcoxon's signed-rank test (Wilcoxon "
            "1945), ties ranked and then dropped (Pratt 1959), where one side alone did not reach the goal as the "
            f"largest difference (Lachin 1999); p-values are adjusted for {family} (Holm 1979) and significant below "
            ".05. A12 is Vargha and Delaney's (2000) within a target, averaged over targets. Intervals are 95 %; other "
            "than Wilson's they are percentiles of 2 000 resamples of the seeds (Efron 1979), the same for all targets "
            "in A12 and by target elsewhere. They are each for itself and not adjusted for the number of pairs, so an "
            "interval may exclude 1 where the adjusted test does not separate. Not separated means that these runs do "
            "not tell, not that there is no difference."
        ),
    )


def _friedman(analysis: Analysis) -> str:
    test = analysis.friedman
    if test is None:
        return ""
    words = f"Friedman: χ²({test.freedom}) = {test.chi_square:.1f} over {test.blocks} blocks, {_p(test.p)}."
    return markdown_text(words)


def _p(p: float) -> str:
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


# --- Cautions -------------------------------------------------------------------------------------------------------


def _caution(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return _CAUTIONS[caution.kind](outcome, analysis, caution)


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _joint(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    every = len(caution.subjects) == len(outcome.variants)
    subject = "All variants pursue" if every else f"{_listed(caution.subjects)}: pursuing"
    others = "" if every else "; of the variants that have a run a target, the sum of the runs"
    return (
        f"{subject} all targets in one run. So a block is a seed, with the evaluations until every target was reached"
        f"{others}. What a joint run shows counts for each of its targets: by target, it compares with other joint "
        "runs alone."
    )


def _few_seeds(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    if caution.value == 1:
        return "There is one seed, of which no interval can be had; those printed are all that is possible."
    return f"There are {caution.value:.0f} seeds: intervals by resampling so few are too narrow."


def _no_power(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        f"Too few blocks: with {analysis.pairs[0].blocks} and {len(analysis.pairs)} pairs, no p after Holm can be below "
        f"{probability(caution.value or 0)}, whatever the runs show. No pair could be separated."
    )


def _censored(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    return (
        f"{_listed(caution.subjects)}: fewer than half of the runs reached the goal within the budget. Medians are ∞, "
        "and restricted means and ratios say at least how much they differ."
    )


_CAUTIONS: dict[str, Callable[[Outcome, Analysis, Caution], str]] = {
    "extended": lambda outcome, analysis, caution: (
        "Extended after results were seen: exploratory. Runs were added when a report had been written, which neither "
        "p-values nor intervals allow for."
    ),
    "matched_by_seed": lambda outcome, analysis, caution: (
        "Matched by seed only: the variants do not start from the same images, so blocks take less of the chance away."
    ),
    "joint": _joint,
    "few_seeds": _few_seeds,
    "no_power": _no_power,
    "easy_targets": lambda outcome, analysis, caution: (
        f"Too easy to compare by: {'targets' if len(caution.subjects) > 1 else 'target'} {_listed(caution.subjects)}. "
        f"More than half of the runs reach the goal within {EARLY_GENERATIONS} generations."
    ),
    "ceiling": lambda outcome, analysis, caution: (
        f"{_listed(caution.subjects)}: more than half of the runs reach the goal within {EARLY_GENERATIONS} "
        "generations, which leaves little to compare."
    ),
    "censored": _censored,
    "ended_early": lambda outcome, analysis, caution: (
        f"{_listed(caution.subjects)}: {caution.value:.0f} runs ended without the goal before their budget. In tests and "
        "restricted means they count as if they had spent it."
    ),
}


# --- Conclusions ----------------------------------------------------------------------------------------------------


class _Conclusions:
    """Sentences: a beginning, one for each variant that lies clearly behind or ahead, and an end."""

    def __init__(self, first: list[str], clear: list[str], last: list[str]) -> None:
        self.first, self.clear, self.last = first, clear, last

    @property
    def all(self) -> list[str]:
        return [*self.first, *self.clear, *self.last]


def _heading(outcome: Outcome) -> str:
    return f"Where {markdown_text(outcome.tried)} stands" if outcome.tried else "Conclusions"


def _conclusions(outcome: Outcome, analysis: Analysis) -> _Conclusions:
    names = [variant.name for variant in analysis.variants]
    if not names:
        return _Conclusions(["No variant finished: there is nothing to compare."], [], [])
    if outcome.tried and outcome.tried not in names:
        return _Conclusions([f"{outcome.tried} failed: there is nothing to compare it by."], [], [])
    if len(names) == 1:
        return _Conclusions([f"{names[0]} is the only variant: there is nothing to compare it with."], [], [])
    hero = outcome.tried or names[0]
    own = [pair for name in names if name != hero and (pair := analysis.pair(hero, name))]
    neighbours = [pair for couple in pairwise(names) if (pair := analysis.pair(*couple)) and pair not in own]
    alike = [pair for pair in analysis.pairs if pair.identical]
    return _Conclusions(
        [*_opening(outcome, analysis, hero), *_headline(own, hero, len(names))],
        [_clear(analysis, pair) for pair in own if _direction(pair)],
        [
            *(_unclear(pair) for pair in (*own, *neighbours) if pair.separated and not _direction(pair)),
            *_unseparated([pair for pair in own if not pair.separated and not pair.identical], "These seeds do not"),
            *_unseparated([pair for pair in neighbours if not pair.separated and not pair.identical], "Nor do they"),
            *_identical(analysis, alike),
        ],
    )
