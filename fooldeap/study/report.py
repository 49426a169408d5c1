"""A study in words: ``report.md``, and the verdict for the terminal."""

import re
import textwrap
from collections.abc import Iterable
from itertools import pairwise

from fooldeap.lines import markdown as markdown_text
from fooldeap.numerals import goal_text, grouped
from fooldeap.study import tables
from fooldeap.study.analysis import p_values
from fooldeap.study.cautions import caution_text
from fooldeap.study.conclusions import Conclusions, conclude, factor_sentences
from fooldeap.study.findings import Analysis, Pair
from fooldeap.study.outcome import Outcome
from fooldeap.study.stats import EXACT, RESAMPLES
from fooldeap.study.tables import markdown_table
from fooldeap.study.transfer import Transfer
from fooldeap.study.words import friedman_text, ranges

FIGURES = {
    "convergence": "Confidence of the best image until each evaluation: median and quartiles over runs",
    "ecdf": "Share of the runs that reached the goal within so many evaluations",
    "targets": "Evaluations to the goal, run by run, for each target",
    "images": "The best images of the first seed and their confidence",
    "critical_differences": "Mean ranks; variants under one bar are not separated",
}
FEW_VARIANTS = 8  # up to so many, the report has every pair
WIDTH = 100  # columns of the terminal
LINES = 12  # of sentences in the terminal


def markdown(outcome: Outcome, analysis: Analysis, transfer: Transfer | None = None) -> str:
    """Return ``report.md``; its figures are expected in ``figures/`` beside it."""
    title = f"Where {outcome.tried} stands" if outcome.tried else "Conclusions"
    said = conclude(outcome, analysis)
    conclusions = _section(markdown_text(title), markdown_text(said.scope), _bullets(said.sentences))
    parts = [f"# {markdown_text(outcome.name)}", _scope(outcome)]
    parts += [conclusions] if outcome.tried else []
    parts += [_cautions(outcome, analysis), _failures(outcome)]
    parts += _results(outcome, analysis) if analysis.variants else []
    parts += [_transfer(transfer)] if transfer else []
    parts += [_method(outcome, analysis)] if analysis.variants else []
    parts += [] if outcome.tried else [conclusions]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(outcome: Outcome, analysis: Analysis) -> str:
    """Return what the terminal shows at the end, at most 100 columns wide: main table, conclusions, notes."""
    table = [_aligned(tables.variant_table(analysis)), ""] if analysis.variants else []
    notes = [f"Failed: {name}: {why}" for name, why in sorted(outcome.failed.items())]
    notes += [f"Note: {caution_text(outcome, analysis, caution)}" for caution in analysis.cautions]
    sentences = _shortened(conclude(outcome, analysis))
    return "\n".join([*table, *sentences, *([""] if notes else []), *_lines(notes)]) + "\n"


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
        f"targets: {ranges(outcome.targets)}; seeds: {ranges(outcome.seeds)}; variants: {len(outcome.variants)}",
        f"goal: {goal_text(outcome.goal)}, within {grouped(outcome.budget)} evaluations a target",
        start,
    ]
    counted = "Evaluations are distinct images shown to the classifier. The statements below are about this classifier"
    return f"{_bullets(texts)}\n\n{counted}, these targets and this budget."


def _cautions(outcome: Outcome, analysis: Analysis) -> str:
    texts = [caution_text(outcome, analysis, caution) for caution in analysis.cautions]
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
            markdown_table(tables.milestone_table(outcome, analysis)),
        ),
        _section("Figures", *(f"![{FIGURES[name]}](figures/{name}.png)" for name in _drawn(outcome, analysis))),
        _pairs(outcome, analysis),
        _factors(analysis),
    ]


def _drawn(outcome: Outcome, analysis: Analysis) -> list[str]:
    left_out = {"critical_differences"} if p_values(outcome, analysis) is None else set()
    return [name for name in FIGURES if name not in left_out] if outcome.runs else []


def _pairs(outcome: Outcome, analysis: Analysis) -> str:
    if not analysis.pairs:
        return ""
    shown = _shown(outcome, analysis)
    run = "a seed" if outcome.joint else "for the same target, a run"
    rest = (
        f"Here are the best against each other one, and neighbours in rank; all {len(analysis.pairs)} pairs are in "
        "`summary.json` and `tables/pairs.tex`."
        if len(shown) < len(analysis.pairs)
        else ""
    )
    return _section(
        "Pairs",
        f"A12: the chance that {run} of the first needs fewer evaluations than one of the second. "
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


def _factors(analysis: Analysis) -> str:
    if not analysis.factors:
        return ""
    family = sum(len(factor.pairs) for factor in analysis.factors)
    return _section(
        "By factor",
        "Each level over all settings of the other factors: of a block, the geometric mean of its evaluations over "
        "them, the budget for a run without success, so that every setting has the same weight. What a level does in "
        "one setting and not in another is not seen here: see the variants themselves.",
        markdown_table(tables.factor_table(analysis.factors), left=2),
        "![Each factor: bold over all settings of the others, thin in each of them](figures/factors.png)",
        _bullets(sentence for factor in analysis.factors for sentence in factor_sentences(factor)),
        f"P-values are adjusted for the family of the {family} pairs of levels (Holm 1979).",
    )


def _transfer(transfer: Transfer) -> str:
    return _section(
        "Transfer",
        "The images that reached the goal on the classifier that they were evolved on, shown to each classifier: how "
        "many it takes for the target, by its highest probability, with at least 99 % and with at least 99.99 %, and "
        "the median probability of the target. Every image is in `transfer.csv`.",
        markdown_table(tables.transfer_table(transfer), left=2),
        "![Share of the images that each classifier takes for the target; framed: the one they were evolved on]"
        "(figures/transfer.png)",
    )


def _method(outcome: Outcome, analysis: Analysis) -> str:
    block = "the seed, with the evaluations to all targets" if outcome.joint else "target × seed"
    family = f" of {outcome.tried} with each other variant" if outcome.tried else ""
    return _section(
        "Method",
        "Success rates have Wilson's score interval (Wilson 1927). ERT is the expected running time with restarts: all "
        "evaluations over the number of successes (Auger and Hansen 2005). The restricted mean takes the budget for a "
        "run without success (Irwin 1949).",
        f"Blocks are {block}. Three or more variants are compared by Friedman's test (Friedman 1937), pairs by "
        f"Wilcoxon's signed-rank test (Wilcoxon 1945), exact where at most {EXACT} blocks differ: ties are ranked, "
        "then dropped (Pratt 1959); where one side alone did not reach the goal, that is the largest difference, and "
        f"where neither did, a tie (Lachin 1999). P-values are adjusted for the family of {len(analysis.pairs)} "
        f"pairs{markdown_text(family)} (Holm 1979); below .05 a pair counts as separated.",
        "A12 is taken within a target and averaged over targets (Vargha and Delaney 2000). A sentence that one variant "
        "needs fewer evaluations stands on three things: the test separates them, A12 is on the same side, and the "
        "interval of the ratio lies wholly below 1.",
        f"Intervals are 95 %; all but Wilson's are percentiles of {grouped(RESAMPLES)} resamples of the seeds (Efron "
        "1979), the same seeds for both sides, and in A12 for all targets. Each interval is for itself: it is not "
        "adjusted for the number of pairs, so it may exclude 1 where the adjusted test does not separate. Not "
        "separated means that these runs do not tell, not that there is no difference.",
    )


def _friedman(analysis: Analysis) -> str:
    test = analysis.friedman
    return f"Friedman's test over {test.blocks} blocks: {friedman_text(test)}." if test else ""


# --- The parts of the verdict ---------------------------------------------------------------------------------------


def _aligned(table: list[list[str]]) -> str:
    """Return a table in columns, those that do not fit left out: first restricted means, then running times."""
    for left_out in ((), (4,), (3, 4), (2, 3, 4)):
        rows = [[_cut(cell) for index, cell in enumerate(row) if index not in left_out] for row in table]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * len(widths) - 2 <= WIDTH:
            break
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return "\n".join("  ".join(line) for line in lines)


def _cut(cell: str) -> str:
    return cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…"


_CELL = 36


def _shortened(said: Conclusions) -> list[str]:
    """Return lines of sentences; where they are too many, the clear cases are cut short first."""
    clear = list(said.clear)
    lines = _lines([said.scope, *said.sentences])
    while len(lines) > LINES and clear:
        clear.pop()
        cases = f"… {len(said.clear) - len(clear)} more clear cases are in report.md."
        lines = _lines([said.scope, *said.first, *clear, cases, *said.last])
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "… The rest is in report.md."]


def _lines(texts: Iterable[str]) -> list[str]:
    wrapped = [
        line
        for text in texts
        for line in textwrap.wrap(_SIGN.sub(_glued, text), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    ]
    return [line.replace(_GLUE, " ") for line in wrapped]


_GLUE = "\0"  # a space at which no line is broken
_SIGN = re.compile(r"\w+ [=<] \S+|\S+ %|ratio \S+ \[[^][]*\]|\[[^][]*\]")


def _glued(match: re.Match[str]) -> str:
    return match.group().replace(" ", _GLUE)
