"""What a reader of a study must know before believing the rest."""

import numpy as np

from fooldeap.study import stats
from fooldeap.study.findings import EARLY_GENERATIONS, FEW_SEEDS, SIGNIFICANT, Caution
from fooldeap.study.outcome import Outcome


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
