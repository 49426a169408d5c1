"""Build the report of a study. Its renderings are ``report.md``, ``report.html``, the LaTeX tables and the terminal."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fooldeap.formatting import class_label, grouped
from fooldeap.report.model import (
    DOCUMENT,
    HTML,
    LATEX,
    TERMINAL,
    Block,
    Chart,
    Charts,
    Figure,
    Film,
    Films,
    Gallery,
    ImageGroup,
    Items,
    Line,
    Report,
    Section,
    Table,
    Text,
    Thumb,
    goal_text,
    thumb,
)
from fooldeap.study import tables
from fooldeap.study.analysis import p_values
from fooldeap.study.analysis_types import Analysis, Pair
from fooldeap.study.cautions import caution_text
from fooldeap.study.conclusions import conclude, factor_sentences
from fooldeap.study.outcome import Outcome
from fooldeap.study.stats import EXACT, RESAMPLES
from fooldeap.study.transfer import Transfer
from fooldeap.study.words import format_ranges, friedman_text

FIGURES = {
    "convergence": "Best confidence so far over evaluations: median and quartiles over runs",
    "ecdf": "Share of the runs that reached the goal, over evaluations",
    "targets": "Evaluations to the goal of each run, by target",
    "images": "The best images of the first seed and their confidence",
    "critical_differences": "Mean ranks. A bar connects variants that are not separated",
}
MOST_VARIANTS, MOST_TARGETS = 24, 20  # whose images and films are shown
FEW_VARIANTS = 8  # up to this number, the report has every pair
SUMMARY = (*DOCUMENT, TERMINAL)


def build_report(outcome: Outcome, analysis: Analysis, transfer: Transfer | None = None) -> Report:
    """Return the report of a study. Its figures, images and snapshots are files in the folder of the study."""
    return Report(
        title=outcome.name,
        lead=_lead(outcome),
        facts=_facts(outcome),
        sections=[
            *(Section(*each, SUMMARY) for each in _summary(outcome, analysis)),
            *(Section(*each, [HTML]) for each in _pictures(outcome, analysis)),
            *(Section(*each) for each in _details(outcome, analysis, transfer)),
            Section("Tables", list(_latex_tables(analysis)), [LATEX]),
        ],
    )


def _lead(outcome: Outcome) -> str:
    count = len(outcome.variants)
    return (
        f"{count} {'variant' if count == 1 else 'variants'}, compared by the number of evaluations of "
        f"{outcome.classifier} until the goal is reached: {goal_text(outcome.goal)}."
    )


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    reached = sum(run.evaluations_to_goal is not None for run in outcome.runs)
    return [
        ("variants", str(len(outcome.variants))),
        ("targets", str(len(outcome.targets))),
        ("seeds", str(len(outcome.seeds))),
        ("reached", f"{grouped(reached)} of {grouped(len(outcome.runs))}"),
        ("budget per target", grouped(outcome.budget)),
    ]


Titled = tuple[str, list[Block]]


def _summary(outcome: Outcome, analysis: Analysis) -> Iterator[Titled]:
    concluded = conclude(outcome, analysis)
    scope = [Text(concluded.scope)] if concluded.scope else []
    title = f"Conclusions about {outcome.candidate}" if outcome.candidate else "Conclusions"
    yield title, [*scope, Items(concluded.sentences)]
    if analysis.cautions:
        texts = [caution_text(outcome, analysis, caution) for caution in analysis.cautions]
        yield "Caveats", [Items(texts, warning=True)]
    if outcome.failed:
        failed = [f"{name}: {why}" for name, why in sorted(outcome.failed.items())]
        yield "Failed variants", [Text("Tests and figures do not include them."), Items(failed, warning=True)]
    if analysis.variants:
        yield "Evaluations to the goal", list(_main(outcome, analysis))


def _main(outcome: Outcome, analysis: Analysis) -> Iterator[Block]:
    unit = "Here a run is one seed, and its evaluations are those to all targets. " if outcome.joint else ""
    yield Text(
        f"{unit}The table covers all targets and is sorted by mean rank; rank 1 has the fewest evaluations. Runs "
        "without success count as ∞ in medians and quartiles, and with the budget in the restricted mean."
    )
    yield tables.variant_table(analysis)
    if test := analysis.friedman:
        yield Text(f"Friedman's test over {test.blocks} blocks: {friedman_text(test)}.")


def _pictures(outcome: Outcome, analysis: Analysis) -> Iterator[Titled]:
    shown, left_out = analysis.variants[:MOST_VARIANTS], len(analysis.variants[MOST_VARIANTS:])
    if not shown:
        return
    names, seed, targets = [each.name for each in shown], outcome.seeds[0], outcome.targets[:MOST_TARGETS]
    yield "Growth", [Charts(_charts(outcome, names))]
    images: list[Block] = [
        Text(
            f"The best image of each variant for each target, for seed {seed}. The variants are sorted by mean rank. "
            "Below each image: the target, the confidence, and the evaluations until the goal."
        ),
        Gallery([ImageGroup(name, [_thumb(outcome, name, each) for each in targets]) for name in names]),
    ]
    yield "Images", [*images, *([Text(f"{left_out} more variants are not shown here.")] if left_out else [])]
    films: list[Block] = [
        Films([_film(outcome, name, target) for name in names], f"Target {label}", open=target == targets[0])
        for target, label in zip(targets, _labels(outcome, targets), strict=True)
    ]
    about = (
        "The best images of all variants after the same number of evaluations. The bars show the classifier's "
        "probability of each class."
    )
    yield "Evolution", [Text(about), *films]


def _thumb(outcome: Outcome, variant: str, target: int) -> Thumb:
    run = outcome.run(variant, target, outcome.seeds[0])
    path = f"variants/{variant}/images/seed-{run.seed}/{target}.png"
    return thumb(path, run._asdict(), outcome.names.get(variant, ()))


def _film(outcome: Outcome, variant: str, target: int) -> Film:
    path = f"variants/{variant}/snapshots/seed-{outcome.seeds[0]}/{target}.npz"
    return Film(variant, target, path, classes=outcome.names.get(variant, ()))


def _labels(outcome: Outcome, targets: Sequence[int]) -> list[str]:
    """Return the numbers of classes, with their names if all classifiers have the same names."""
    names = {tuple(outcome.names.get(variant, ())) for variant in outcome.variants}
    (same,) = names if len(names) == 1 else ((),)
    return [class_label(target, same) for target in targets]


def _charts(outcome: Outcome, names: Sequence[str]) -> list[Chart]:
    x, keys = outcome.grid.tolist(), [(target, seed) for target in outcome.targets for seed in outcome.seeds]
    medians = {name: np.median([outcome.curves[name, *key] for key in keys], axis=0) for name in names}
    confidence = [Line(name, x, medians[name].tolist()) for name in names]
    shares = [_share(outcome, name) for name in names]
    axes: dict[str, Any] = {"low": 0.0, "high": 1.02, "percent": True}
    return [
        Chart("Confidence, median over runs", "evaluations", "confidence", confidence, **axes),
        Chart("Runs that reached the goal", "evaluations", "share of the runs", shares, **axes),
    ]


def _share(outcome: Outcome, name: str) -> Line:
    """Return the share of the runs of a variant that reached the goal, over evaluations."""
    goals = outcome.column(name, "evaluations_to_goal")
    reached = np.sort(goals[np.isfinite(goals)]).astype(int)
    counts = np.unique(np.concatenate([[1], reached, [max(outcome.budget, reached.max(initial=1))]]))
    shares = np.searchsorted(reached, counts, side="right") / goals.size
    return Line(name, counts.tolist(), shares.tolist())


def _details(outcome: Outcome, analysis: Analysis, transfer: Transfer | None) -> Iterator[Titled]:
    yield "Setup", list(_setup(outcome))
    if not analysis.variants:
        return
    yield "By target", [Text("Median evaluations to the goal."), tables.target_table(analysis)]
    yield (
        "Milestones",
        [
            Text(
                "Median evaluations to 50, 90 and 99 % confidence; median final confidence; mean area under the "
                "convergence curve (1 means full confidence from the first image on); mean diversity in grey levels."
            ),
            tables.milestone_table(outcome, analysis),
        ],
    )
    left_out = {"critical_differences"} if p_values(outcome, analysis) is None else set()
    yield "Figures", [Figure(f"figures/{name}.png", FIGURES[name]) for name in FIGURES if name not in left_out]
    if analysis.pairs:
        yield "Pairs", list(_pairs(outcome, analysis))
    if analysis.factors:
        yield "By factor", list(_factors(analysis))
    if transfer:
        yield "Transfer", list(_transfer(transfer))
    yield "Method", list(_method(outcome, analysis))


def _setup(outcome: Outcome) -> Iterator[Block]:
    yield Items(
        [
            f"classifier: {outcome.classifier}",
            f"targets: {format_ranges(outcome.targets)}; seeds: {format_ranges(outcome.seeds)}; "
            f"variants: {len(outcome.variants)}",
            f"goal: {goal_text(outcome.goal)}, within {grouped(outcome.budget)} evaluations per target",
            "paired: in a block, all variants start from the same images"
            if outcome.paired
            else "matched by seed only: the variants do not start from the same images",
        ]
    )
    yield Text(
        "An evaluation is one query: an image is shown to the classifier. If the same image already occurred in this "
        "batch or in the previous one, its answer comes from a cache, and the image is not counted again. The results "
        "hold for this classifier, these targets and this budget."
    )


def _pairs(outcome: Outcome, analysis: Analysis) -> Iterator[Block]:
    shown = _pairs_to_show(outcome, analysis)
    run = "a seed" if outcome.joint else "a run"
    target = "" if outcome.joint else " for the same target"
    yield Text(
        f"A12: the probability that {run} of the first variant needs fewer evaluations than {run} of the "
        f"second{target}. Ratio: restricted mean of the first divided by that of the second."
    )
    if len(shown) < len(analysis.pairs):
        yield Text(
            "The table has the pairs of the best variant and the neighbours in rank. "
            f"All {len(analysis.pairs)} pairs are in summary.json and tables/pairs.tex."
        )
    yield tables.pair_table(shown)


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


def _factors(analysis: Analysis) -> Iterator[Block]:
    yield Text(
        "Levels are compared over all settings of the other factors. The value of a level in a block is the geometric "
        "mean of its evaluations over the settings; a run without success counts with the budget. So every setting has "
        "the same weight. An effect that exists only in some settings shows only in the comparison of variants."
    )
    yield tables.factor_table(analysis.factors)
    yield Figure(
        "figures/factors.png",
        "Evaluations by level of each factor: bold over all settings of the others, thin in each setting",
    )
    yield Items([sentence for factor in analysis.factors for sentence in factor_sentences(factor)])
    family = sum(len(factor.pairs) for factor in analysis.factors)
    yield Text(f"P-values are adjusted for the family of all {family} pairs of levels (Holm 1979).")


def _transfer(transfer: Transfer) -> Iterator[Block]:
    yield Text(
        "Each image that reached the goal on its own classifier was shown to every classifier. The table has the share "
        "of images whose most probable class is the target, the shares with at least 99 % and 99.99 % for the target, "
        "and the median probability of the target. All images are in transfer.csv."
    )
    yield tables.transfer_table(transfer)
    yield Figure(
        "figures/transfer.png",
        "Share of the images that each classifier takes for the target; the frame marks the classifier they were "
        "evolved on",
    )


def _method(outcome: Outcome, analysis: Analysis) -> Iterator[Block]:
    block = "seeds, with the evaluations to all targets" if outcome.joint else "target × seed"
    family = f" of {outcome.candidate} with each other variant" if outcome.candidate else ""
    yield Text(
        "Success rates have Wilson's score interval (Wilson 1927). ERT is the expected running time with restarts: all "
        "evaluations divided by the number of successes (Hansen et al. 2021). The restricted mean is the mean of "
        "min(evaluations, budget) (Irwin 1949)."
    )
    yield Text(
        f"Blocks are {block}. Three or more variants are compared by Friedman's test (Friedman 1937), pairs by "
        f"Wilcoxon's signed-rank test (Wilcoxon 1945), which is exact if at most {EXACT} blocks differ. Ties are "
        "ranked, then dropped (Pratt 1959). If only one variant reached the goal, the difference is the largest of "
        "all; if neither did, the block is a tie (Lachin 1999). P-values are adjusted for the family of "
        f"{len(analysis.pairs)} pairs{family} (Holm 1979). A pair is separated if its adjusted p-value is below .05."
    )
    yield Text(
        "A12 is computed within each target and averaged over targets (Vargha and Delaney 2000). The report says that "
        "one variant needs fewer evaluations than another only if the pair is separated, A12 favours this variant, and "
        "the interval of the ratio excludes 1."
    )
    yield Text(
        f"Intervals are 95 %. Except for Wilson's, they are percentiles of {grouped(RESAMPLES)} resamples of the seeds "
        "(Efron 1979). Both variants get the same seeds; for A12, all targets share them too. Intervals are not "
        "adjusted for the number of pairs. So the interval of a ratio may exclude 1 although the pair is not "
        "separated. A pair that is not separated may still differ: these runs are not enough to find the difference."
    )


def _latex_tables(analysis: Analysis) -> Iterator[Table]:
    yield tables.variant_table(analysis)
    yield tables.pair_table(analysis.pairs)
    if analysis.factors:
        yield tables.factor_table(analysis.factors)
