"""Write the report of a study: ``report.md``, and the summary for the terminal."""

import re
import textwrap
from collections.abc import Iterable
from itertools import pairwise

from fooldeap.formatting import goal_text, grouped
from fooldeap.study import tables
from fooldeap.study.analysis import p_values
from fooldeap.study.analysis_types import Analysis, Pair
from fooldeap.study.cautions import caution_text
from fooldeap.study.conclusions import Conclusions, conclude, factor_sentences
from fooldeap.study.outcome import Outcome
from fooldeap.study.stats import EXACT, RESAMPLES
from fooldeap.study.tables import markdown_table
from fooldeap.study.transfer import Transfer
from fooldeap.study.words import format_ranges, friedman_text
from fooldeap.terminal_text import markdown as markdown_text

FIGURES = {
    "convergence": "Best confidence so far over evaluations: median and quartiles over runs",
    "ecdf": "Share of the runs that reached the goal, over evaluations",
    "targets": "Evaluations to the goal of each run, by target",
    "images": "The best images of the first seed and their confidence",
    "critical_differences": "Mean ranks. A bar connects variants that are not separated",
}
FEW_VARIANTS = 8  # up to this number, the report has every pair
WIDTH = 100  # columns of the terminal
LINES = 12  # maximum for the sentences in the terminal


def markdown(outcome: Outcome, analysis: Analysis, transfer: Transfer | None = None) -> str:
    """Return the text of ``report.md``. It links to the figures in ``figures/``."""
    title = f"Conclusions about {outcome.candidate}" if outcome.candidate else "Conclusions"
    concluded = conclude(outcome, analysis)
    conclusions = _section(markdown_text(title), markdown_text(concluded.scope), _bullets(concluded.sentences))
    parts = [f"# {markdown_text(outcome.name)}", _scope(outcome)]
    parts += [conclusions] if outcome.candidate else []
    parts += [_cautions(outcome, analysis), _failures(outcome)]
    parts += _results(outcome, analysis) if analysis.variants else []
    parts += [_transfer(transfer)] if transfer else []
    parts += [_method(outcome, analysis)] if analysis.variants else []
    parts += [] if outcome.candidate else [conclusions]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(outcome: Outcome, analysis: Analysis) -> str:
    """Return the summary for the terminal, at most 100 columns wide: main table, conclusions and notes."""
    table = [_align(tables.variant_table(analysis)), ""] if analysis.variants else []
    notes = [f"Failed: {name}: {why}" for name, why in sorted(outcome.failed.items())]
    notes += [f"Note: {caution_text(outcome, analysis, caution)}" for caution in analysis.cautions]
    sentences = _fit_sentences(conclude(outcome, analysis))
    return "\n".join([*table, *sentences, *([""] if notes else []), *_wrap(notes)]) + "\n"


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
        f"targets: {format_ranges(outcome.targets)}; seeds: {format_ranges(outcome.seeds)}; "
        f"variants: {len(outcome.variants)}",
        f"goal: {goal_text(outcome.goal)}, within {grouped(outcome.budget)} evaluations per target",
        start,
    ]
    unit = "Evaluations are distinct images shown to the classifier. The results hold for this classifier"
    return f"{_bullets(texts)}\n\n{unit}, these targets and this budget."


def _cautions(outcome: Outcome, analysis: Analysis) -> str:
    texts = [caution_text(outcome, analysis, caution) for caution in analysis.cautions]
    return _section("Caveats", _bullets(texts)) if texts else ""


def _failures(outcome: Outcome) -> str:
    texts = [f"{name}: {why}" for name, why in sorted(outcome.failed.items())]
    return _section("Failed variants", "Tests and figures do not include them.", _bullets(texts)) if texts else ""


def _results(outcome: Outcome, analysis: Analysis) -> list[str]:
    unit = "Here a run is one seed, and its evaluations are those to all targets. " if outcome.joint else ""
    return [
        _section(
            "Evaluations to the goal",
            f"{unit}The table covers all targets and is sorted by mean rank; rank 1 has the fewest evaluations. Runs "
            "without success count as ∞ in medians and quartiles, and with the budget in the restricted mean.",
            markdown_table(tables.variant_table(analysis)),
            _friedman(analysis),
        ),
        _section("By target", "Median evaluations to the goal.", markdown_table(tables.target_table(analysis))),
        _section(
            "Milestones",
            "Median evaluations to 50, 90 and 99 % confidence; median final confidence; mean area under the "
            "convergence curve (1 means full confidence from the first image on); mean diversity in grey levels.",
            markdown_table(tables.milestone_table(outcome, analysis)),
        ),
        _section("Figures", *(f"![{FIGURES[name]}](figures/{name}.png)" for name in _figure_names(outcome, analysis))),
        _pairs(outcome, analysis),
        _factors(analysis),
    ]


def _figure_names(outcome: Outcome, analysis: Analysis) -> list[str]:
    left_out = {"critical_differences"} if p_values(outcome, analysis) is None else set()
    return [name for name in FIGURES if name not in left_out] if outcome.runs else []


def _pairs(outcome: Outcome, analysis: Analysis) -> str:
    if not analysis.pairs:
        return ""
    shown = _pairs_to_show(outcome, analysis)
    run = "a seed" if outcome.joint else "a run"
    target = "" if outcome.joint else " for the same target"
    rest = (
        f"The table has the pairs of the best variant and the neighbours in rank. All {len(analysis.pairs)} pairs are "
        "in `summary.json` and `tables/pairs.tex`."
        if len(shown) < len(analysis.pairs)
        else ""
    )
    return _section(
        "Pairs",
        f"A12: the probability that {run} of the first variant needs fewer evaluations than {run} of the "
        f"second{target}. "
        f"Ratio: restricted mean of the first divided by that of the second. {rest}".rstrip(),
        markdown_table(tables.pair_table(shown), left=2),
    )


def _pairs_to_show(outcome: Outcome, analysis: Analysis) -> list[Pair]:
    names = [variant.name for variant in analysis.variants]
    if outcome.candidate or len(names) <= FEW_VARIANTS:
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
        "Levels are compared over all settings of the other factors. The value of a level in a block is the geometric "
        "mean of its evaluations over the settings; a run without success counts with the budget. So every setting has "
        "the same weight. An effect that exists only in some settings shows only in the comparison of variants.",
        markdown_table(tables.factor_table(analysis.factors), left=2),
        "![Evaluations by level of each factor: bold over all settings of the others, thin in each setting]"
        "(figures/factors.png)",
        _bullets(sentence for factor in analysis.factors for sentence in factor_sentences(factor)),
        f"P-values are adjusted for the family of all {family} pairs of levels (Holm 1979).",
    )


def _transfer(transfer: Transfer) -> str:
    return _section(
        "Transfer",
        "Each image that reached the goal on its own classifier was shown to every classifier. The table has the share "
        "of images whose most probable class is the target, the shares with at least 99 % and 99.99 % for the target, "
        "and the median probability of the target. All images are in `transfer.csv`.",
        markdown_table(tables.transfer_table(transfer), left=2),
        "![Share of the images that each classifier takes for the target; the frame marks the classifier they were "
        "evolved on](figures/transfer.png)",
    )


def _method(outcome: Outcome, analysis: Analysis) -> str:
    block = "seeds, with the evaluations to all targets" if outcome.joint else "target × seed"
    family = f" of {outcome.candidate} with each other variant" if outcome.candidate else ""
    return _section(
        "Method",
        "Success rates have Wilson's score interval (Wilson 1927). ERT is the expected running time with restarts: all "
        "evaluations divided by the number of successes (Auger and Hansen 2005). The restricted mean is the mean of "
        "min(evaluations, budget) (Irwin 1949).",
        f"Blocks are {block}. Three or more variants are compared by Friedman's test (Friedman 1937), pairs by "
        f"Wilcoxon's signed-rank test (Wilcoxon 1945), which is exact if at most {EXACT} blocks differ. Ties are "
        "ranked, then dropped (Pratt 1959). If only one variant reached the goal, the difference is the largest of "
        "all; if neither did, the block is a tie (Lachin 1999). P-values are adjusted for the family of "
        f"{len(analysis.pairs)} pairs{markdown_text(family)} (Holm 1979). A pair is separated if its adjusted p-value "
        "is below .05.",
        "A12 is computed within each target and averaged over targets (Vargha and Delaney 2000). The report says that "
        "one variant needs fewer evaluations than another only if the pair is separated, A12 favours this variant, and "
        "the interval of the ratio excludes 1.",
        f"Intervals are 95 %. Except for Wilson's, they are percentiles of {grouped(RESAMPLES)} resamples of the seeds "
        "(Efron 1979). Both variants get the same seeds; for A12, all targets share them too. Intervals are not "
        "adjusted for the number of pairs. So the interval of a ratio may exclude 1 although the pair is not "
        "separated. A pair that is not separated may still differ: these runs are not enough to find the difference.",
    )


def _friedman(analysis: Analysis) -> str:
    test = analysis.friedman
    return f"Friedman's test over {test.blocks} blocks: {friedman_text(test)}." if test else ""


# --- The parts of the summary for the terminal ----------------------------------------------------------------------


def _align(table: list[list[str]]) -> str:
    """Align a table in columns. If it is too wide, drop restricted means first, then running times, then medians."""
    for left_out in ((), (4,), (3, 4), (2, 3, 4)):
        rows = [[_truncate(cell) for index, cell in enumerate(row) if index not in left_out] for row in table]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * len(widths) - 2 <= WIDTH:
            break
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return "\n".join("  ".join(line) for line in lines)


def _truncate(cell: str) -> str:
    return cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…"


_CELL = 36


def _fit_sentences(conclusions: Conclusions) -> list[str]:
    """Return the lines of the conclusions. If there are too many, drop sentences on clear cases first."""
    clear = list(conclusions.clear)
    lines = _wrap([conclusions.scope, *conclusions.sentences])
    while len(lines) > LINES and clear:
        clear.pop()
        cases = f"… {len(conclusions.clear) - len(clear)} more such comparisons are in report.md."
        lines = _wrap([conclusions.scope, *conclusions.overview, *clear, cases, *conclusions.unclear])
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "… The other conclusions are in report.md."]


def _wrap(texts: Iterable[str]) -> list[str]:
    wrapped = [
        line
        for text in texts
        for line in textwrap.wrap(
            _UNBROKEN.sub(_join_words, text), WIDTH, subsequent_indent="  ", break_on_hyphens=False
        )
    ]
    return [line.replace(_NO_BREAK, " ") for line in wrapped]


_NO_BREAK = "\0"  # stands for a space at which a line may not be broken
_UNBROKEN = re.compile(r"\w+ [=<] \S+|\S+ %|ratio \S+ \[[^][]*\]|\[[^][]*\]")


def _join_words(match: re.Match[str]) -> str:
    return match.group().replace(" ", _NO_BREAK)
