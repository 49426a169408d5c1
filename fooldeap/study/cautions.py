"""Find and describe the caveats of a study."""

import numpy as np

from fooldeap.formatting import counted
from fooldeap.study import stats
from fooldeap.study.analysis_types import EARLY_GENERATIONS, FEW_SEEDS, SIGNIFICANT, Analysis, Caution
from fooldeap.study.outcome import Outcome
from fooldeap.study.tables import probability
from fooldeap.study.words import join_names, shorten


def find_cautions(outcome: Outcome, pairs: int) -> list[Caution]:
    """Return the cautions for a study, in the order of `CautionKind`; ``pairs`` is the number of compared pairs."""
    if not outcome.variants:
        return []
    return [
        *_find_design_cautions(outcome),
        *_find_seed_cautions(outcome, pairs),
        *_find_speed_cautions(outcome),
        *_find_budget_cautions(outcome),
    ]


def _find_design_cautions(outcome: Outcome) -> list[Caution]:
    found = [Caution("extended")] if outcome.extended else []
    found += [Caution("left_out", outcome.left_out)] if outcome.left_out else []
    found += [Caution("forced", outcome.forced)] if outcome.forced else []
    found += [] if outcome.paired else [Caution("matched_by_seed")]
    return found + ([Caution("joint", tuple(sorted(outcome.joint)))] if outcome.joint else [])


def _find_seed_cautions(outcome: Outcome, pairs: int) -> list[Caution]:
    seeds = len(outcome.seeds)
    found = [Caution("few_seeds", value=seeds)] if seeds < FEW_SEEDS else []
    attainable = _smallest_p(outcome.blocks(outcome.variants[0]).size, pairs)
    return found + ([Caution("no_power", value=attainable)] if pairs and attainable >= SIGNIFICANT else [])


def _smallest_p(blocks: int, pairs: int) -> float:
    """Return the smallest possible p-value after Holm: one variant wins every block, by different amounts."""
    return min(1.0, pairs * stats.signed_rank(np.zeros(blocks), np.arange(1, blocks + 1)))


def _find_speed_cautions(outcome: Outcome) -> list[Caution]:
    # Generations are numbered from 0.
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


def _find_budget_cautions(outcome: Outcome) -> list[Caution]:
    censored = tuple(name for name in outcome.variants if np.isinf(outcome.blocks(name)).mean() > 0.5)
    ended = [
        run.variant
        for run in outcome.runs
        if run.evaluations_to_goal is None and run.stopped not in ("goal", "evaluations")
    ]
    found = [Caution("censored", censored)] if censored else []
    return found + ([Caution("ended_early", tuple(sorted(set(ended))), len(ended))] if ended else [])


# --- Texts ----------------------------------------------------------------------------------------------------------


def caution_text(outcome: Outcome, analysis: Analysis, caution: Caution) -> str:
    """Return the text of a caution."""
    names = join_names(caution.subjects)
    match caution.kind:
        case "extended":
            return (
                "The study was extended after results were available, so its results are exploratory. P-values and "
                "intervals do not account for this."
            )
        case "left_out":
            return (
                f"Finished runs are left out: {join_names(shorten(caution.subjects))}. Their results were available "
                "when the study was changed. Resume the study with these runs, or explain why they are missing."
            )
        case "forced":
            return (
                f"The study was resumed with --force although {names}. So not all runs were made under the same "
                "conditions."
            )
        case "matched_by_seed":
            return (
                "The variants are matched by seed only: not all of them start from the same images. So blocks remove "
                "less of the random variation."
            )
        case "joint":
            return _joint_text(outcome, caution)
        case "few_seeds":
            if caution.value == 1:
                return (
                    "There is only one seed. Intervals need at least two, so those printed are the widest possible "
                    "ones."
                )
            return (
                f"There are only {caution.value:.0f} seeds. Intervals from resampling fewer than {FEW_SEEDS} are too "
                "narrow."
            )
        case "no_power":
            blocks, pairs = counted(analysis.pairs[0].blocks, "block"), counted(len(analysis.pairs), "pair")
            return (
                f"There are too few blocks: with {blocks} and {pairs}, the smallest possible p-value after Holm is "
                f"{probability(caution.value or 0)}. So no pair can be separated, whatever the runs show."
            )
        case "easy_targets":
            target = "Target" if len(caution.subjects) == 1 else "Targets"
            return (
                f"{target} {names}: more than half of all runs reach the goal within {EARLY_GENERATIONS} generations. "
                "This is too early to compare the variants."
            )
        case "ceiling":
            return (
                f"{names}: more than half of the runs reach the goal within {EARLY_GENERATIONS} generations, so there "
                "is little to compare."
            )
        case "censored":
            return (
                f"{names}: fewer than half of the runs reached the goal within the budget, so medians are ∞. "
                "Restricted means and ratios depend on the budget."
            )
        case "ended_early":
            one = caution.value == 1
            return (
                f"{names}: {caution.value:.0f} run{'s' * (not one)} ended before the budget was spent, without "
                f"reaching the goal. In tests and restricted means {'it counts' if one else 'they count'} as if the "
                "budget had been spent."
            )


def _joint_text(outcome: Outcome, caution: Caution) -> str:
    every = set(outcome.variants) <= set(caution.subjects)
    subject = (
        "All variants pursue" if every else f"{join_names(caution.subjects)} pursue{'s' * (len(caution.subjects) == 1)}"
    )
    others = "" if every else " (for a variant with one run per target, in all runs of the seed together)"
    return (
        f"{subject} all targets in one run. So a block is a seed, and its value is the number of evaluations until "
        f"every target was reached{others}. An image of a joint run counts for each of its targets. So in results by "
        "target, compare joint runs only with joint runs."
    )
