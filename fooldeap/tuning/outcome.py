"""The outcome of a tuning: the configurations of each strategy, and the gains on unseen instances; as tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from fooldeap.configuration.experiment import Experiment
from fooldeap.formatting import as_csv
from fooldeap.study import stats
from fooldeap.study.analysis_types import SIGNIFICANT, Analysis, Pair
from fooldeap.study.stats import Estimate
from fooldeap.tuning.instances import Instance
from fooldeap.tuning.settings import Strategy, Tuning
from fooldeap.tuning.trials import Trial

LEVELS = ("initial", "tuned")


@dataclass(frozen=True)
class StrategyOutcome:
    """The configurations that were tried for one strategy. ``budget`` is the budget of a run for each target."""

    strategy: Strategy
    instances: Sequence[Instance]
    trials: tuple[Trial, ...]
    budget: int

    @cached_property
    def best(self) -> Trial:
        """The best configuration that ran on all instances."""
        complete = [each for each in self.trials if each.state == "complete"]
        return min(complete, key=lambda each: (each.value, each.number))

    @cached_property
    def best_experiment(self) -> Experiment:
        """The experiment with the best configuration."""
        return self.strategy.experiment(self.best.values) if self.best.number else self.strategy.initial

    @property
    def images(self) -> int:
        """The images that the search has shown."""
        return sum(each.images for each in self.trials)

    def configurations(self) -> dict[str, Experiment]:
        """Return the initial configuration and, if it is another one, the best one, by their levels."""
        levels = LEVELS if self.best.number else LEVELS[:1]
        return dict(zip(levels, (self.strategy.initial, self.best_experiment), strict=False))

    def variant(self, level: str) -> str:
        """Return the name of a configuration in a study."""
        return f"{self.strategy.name}-{level}" if self.strategy.name else level

    def ratio(self, trial: Trial) -> float | None:
        """Return the geometric mean of the images of a trial relative to those of the initial configuration."""
        return None if trial.value is None or not trial.results else 10**trial.value

    def mean(self, trial: Trial) -> float:
        """Return the geometric mean of the images to the goal over the instances on which a trial ran."""
        costs = zip(self.instances, trial.results, strict=False)
        logarithms = [cost.logarithm(self.budget * len(each.run.targets)) for each, cost in costs]
        return float(10 ** (sum(logarithms) / len(logarithms)))


class Gain(NamedTuple):
    """The comparison of the best and the initial configuration of a strategy on a set of unseen instances.

    ``ratio`` is the mean number of images of the tuned configuration over that of the initial one, with its 95 %
    interval. ``p_holm`` is adjusted for all comparisons of the tuning.
    """

    unseen: str
    strategy: str
    ratio: Estimate
    p: float
    p_holm: float
    reached: tuple[int, int]
    runs: int

    @property
    def carried_over(self) -> bool:
        """Whether the tuned configuration needs significantly fewer images."""
        return self.p_holm < SIGNIFICANT and self.ratio.high < 1

    @property
    def harmful(self) -> bool:
        """Whether the tuned configuration needs significantly more images."""
        return self.p_holm < SIGNIFICANT and self.ratio.low > 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of a tuning."""

    tuning: Tuning
    strategies: tuple[StrategyOutcome, ...]
    gains: tuple[Gain, ...]


def gains(found: Sequence[StrategyOutcome], analyses: Mapping[str, Analysis]) -> list[Gain]:
    """Return the gains on the sets of unseen instances, with p-values adjusted by Holm's method."""
    made = []
    for unseen, analysis in analyses.items():
        measures = {each.name: each.overall for each in analysis.variants}
        for each in found:
            initial, tuned = (each.variant(level) for level in LEVELS)
            pair = analysis.pair(initial, tuned)
            if pair is not None:
                reached = measures[initial].reached, measures[tuned].reached
                ratio = _ratio(pair, tuned)
                made.append(Gain(unseen, each.strategy.name, ratio, pair.p, 1.0, reached, measures[tuned].runs))
    adjusted = stats.holm([each.p for each in made])
    return [each._replace(p_holm=p) for each, p in zip(made, adjusted, strict=True)]


def _ratio(pair: Pair, tuned: str) -> Estimate:
    if pair.first == tuned:
        return pair.ratio
    return Estimate(
        *(1 / each if each else float("inf") for each in (pair.ratio.value, pair.ratio.high, pair.ratio.low))
    )


def _finite(estimate: Estimate) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in estimate._asdict().items()}


def trials_csv(outcome: Outcome) -> str:
    """Return the table of all configurations."""
    keys = list(dict.fromkeys(each.key for found in outcome.strategies for each in found.strategy.space.parameters))
    head = ["strategy", "trial", "state", "runs", "reached", "images", "mean_images_to_goal", "ratio_to_initial", *keys]
    rows: list[Sequence[object]] = [head]
    for found in outcome.strategies:
        for each in found.trials:
            reached = sum(cost.to_goal is not None for cost in each.results)
            mean = found.mean(each) if each.results else ""
            ratio = found.ratio(each)
            values = [each.values.get(key, "") for key in keys]
            own = [found.strategy.name, each.number, each.state, len(each.results), reached, each.images]
            rows.append([*own, mean, "" if ratio is None else ratio, *values])
    return as_csv(rows)


def runs_csv(outcome: Outcome) -> str:
    """Return the table of all runs of the search."""
    rows: list[list[object]] = [
        ["strategy", "trial", "classifier", "targets", "seed", "evaluations_to_goal", "evaluations"]
    ]
    for found in outcome.strategies:
        for each in found.trials:
            for instance, cost in zip(found.instances, each.results, strict=False):
                to_goal = "" if cost.to_goal is None else cost.to_goal
                place = [found.strategy.name, each.number, instance.network, instance.targets, instance.run.seed]
                rows.append([*place, to_goal, cost.evaluations])
    return as_csv(rows)


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    return {
        "strategies": [
            {
                "strategy": each.strategy.name,
                "trials": len(each.trials),
                "images": each.images,
                "best": each.best.number,
                "ratio_to_initial": each.ratio(each.best),
                "values": dict(each.best.values),
            }
            for each in outcome.strategies
        ],
        "unseen": [
            {**each._asdict(), "ratio": _finite(each.ratio), "carried_over": each.carried_over}
            for each in outcome.gains
        ],
    }
