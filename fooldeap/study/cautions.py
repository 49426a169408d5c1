"""What a reader of a study must know before believing the rest: found, and in words."""

from collections.abc import Callable

import numpy as np

from fooldeap.study import stats
from fooldeap.study.findings import EARLY_GENERATIONS, FEW_SEEDS, SIGNIFICANT, Analysis, Caution
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import probability
from fooldeap.study.words import listed, shortened


def cautions(outcome: Outcome, pairs: int) -> list[Caution]:
    """Return what to beware of in a study of so many pairs, in the order of `CautionKind`."""
    if not outcome.variants:
        return []
    return [*_of_design(outcome), *_of_seeds(outcome, pairs), *_of_speed(outcome), *_of_budget(outcome)]


def _of_design(outcome: Outcome) -> list[Caution]:
    found = [Caution("extended")] if outcome.extended else []
    found += [Caution("left_out", outcome.left_out)] if outcome.left_out else []
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


# --- In words -------------------------------------------------------------------------------------------------------


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
        f"Runs that had ended are left out: {listed(shortened(caution.subjects))}. What they showed could be known "
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
