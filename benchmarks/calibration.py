"""Check the calibration of fooldeap's statistics: the rate of false alarms, and the power.

    python benchmarks/calibration.py [RUNS.csv] [--studies 2000] [--seed 1] [--json FILE]

Thousands of synthetic studies are generated from a real one. Its ``runs.csv`` has the columns variant, target, seed and
evaluations_to_goal, which is empty for a censored run. If no variant differs, a test at 5 % may find a difference in at
most as many studies as the 99 % quantile of the binomial distribution: 123 of 2000. The exit status is 1 if a goal is
missed. This takes several minutes.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import _studies as synthetic
import numpy as np

from fooldeap.runs.environment import current_environment
from fooldeap.study import stats

RUNS = Path(__file__).parent.parent / "tests/data/runs.csv"
VARIANTS = 6  # the largest number of variants in studies without a difference: 15 pairs
EQUALS = 5  # the number of variants in larger studies with a difference: 10 pairs
TARGETS, SEEDS = 10, 15
A12, POWER = 0.65, 0.8
CANDIDATES = tuple(range(15, 205, 5))  # numbers of seeds


class Count(NamedTuple):
    """The number of studies in which a difference was found, with its goals; None is no goal."""

    name: str
    found: int
    studies: int
    least: int | None = None
    most: int | None = None

    @property
    def missed(self) -> bool:
        """Whether the goal is missed."""
        return (self.least is not None and self.found < self.least) or (
            self.most is not None and self.found > self.most
        )

    def row(self) -> str:
        """Return the figure as a row of a Markdown table."""
        goals = [f"at least {self.least}"] if self.least is not None else []
        goals += [f"at most {self.most}"] if self.most is not None else []
        outcome = (": MISSED" if self.missed else ": met") if goals else ""
        return f"| {self.name} | {self.found} | {100 * self.found / self.studies:.1f} % | {' '.join(goals)}{outcome} |"


class Calibration:
    """The measurements; each yields its counts."""

    def __init__(self, real: synthetic.Floats, studies: int, seed: int) -> None:
        self.real, self.studies, self.seed = real, studies, seed
        self.notes: list[str] = []
        self.population = self._population()

    def figures(self) -> Iterator[Count]:
        """Measure everything."""
        yield from self.without_difference()
        yield from self.one_bad()
        yield from self.power()
        yield from self.by_seed()
        yield from self.joint_runs()
        yield from self.power_by_seed()
        yield from self.factors()

    def without_difference(self) -> Iterator[Count]:
        """Measure false alarms if no variant differs: real values, permuted among the variants within each block."""
        rng = np.random.default_rng(self.seed)
        friedman, pairs = self._count(
            lambda: synthetic.permuted(self._some(rng), rng), synthetic.friedman_alarms, synthetic.any_pair
        )
        yield self._count_of_alarms("no difference, Friedman", friedman)
        yield self._count_of_alarms("no difference, any pair", pairs)

    def one_bad(self) -> Iterator[Count]:
        """Measure false alarms between equal variants if one further variant is bad, in two ways."""
        rng = np.random.default_rng(self.seed)
        for how, make in (
            ("has the worst of every block", synthetic.worst_is_bad),
            ("never reaches the goal", synthetic.failing_is_bad),
        ):
            (found,) = self._count(lambda make=make: make(self._some(rng), rng), synthetic.any_equal_pair)
            yield self._count_of_alarms(f"one bad variant, which {how}: any pair of the others", found)

    def power(self) -> Iterator[Count]:
        """Measure the power for a variant that is better than the most reliable one by A12 = .65 within each target."""
        for name, population, variants in (
            ("two variants", self.population, 2),
            (f"one pair of {EQUALS} variants", self.population, EQUALS),
            ("two variants, half of the runs of the worse one censored", self._population(censored=0.5), 2),
        ):
            found, a12 = self._found(population, variants)
            yield self._count_of_finds(f"A12 = {A12}, {TARGETS} targets x {SEEDS} seeds, {name}", found)
            self.notes.append(f"A12 within targets, {name}: {a12:.4f} on average over the studies.")

    def _found(self, population: synthetic.Population, variants: int) -> tuple[int, float]:
        """Return the number of studies in which the better variant is separated from another one, and the mean A12."""
        rng = np.random.default_rng(self.seed)
        better = population.better(A12)
        a12s: list[float] = []

        def make() -> synthetic.Floats:
            study = population.draw(variants, SEEDS, rng, better)
            a12s.append(stats.a12(study[0], study[1]))
            return study

        return synthetic.count(self.studies, make, synthetic.first_pair)[0], float(np.mean(a12s))

    def by_seed(self) -> Iterator[Count]:
        """Measure false alarms if the blocks are seeds: separate runs, their evaluations added over the targets."""
        rng = np.random.default_rng(self.seed)
        friedman, pairs = self._count(
            lambda: synthetic.permuted(synthetic.by_seed(self._some(rng)), rng),
            synthetic.friedman_alarms,
            synthetic.any_pair,
        )
        yield self._count_of_alarms("no difference, blocks are seeds, Friedman", friedman)
        yield self._count_of_alarms("no difference, blocks are seeds, any pair", pairs)

    def joint_runs(self) -> Iterator[Count]:
        """Measure false alarms if the targets of a seed are correlated, with seeds as blocks.

        For comparison, also with the wrong blocks, target x seed.
        """
        for luck in (0.25, 0.5):
            rng = np.random.default_rng(self.seed)
            friedman, pairs, *wrong = self._count(
                lambda luck=luck, rng=rng: self.population.draw(EQUALS, SEEDS, rng, luck=luck),
                lambda study: synthetic.friedman_alarms(synthetic.together(study)),
                lambda study: synthetic.any_pair(synthetic.together(study)),
                synthetic.friedman_alarms,
                synthetic.any_pair,
                lambda study: synthetic.any_pair(study[:2]),
            )
            name = f"joint runs, luck {luck}, blocks are"
            yield self._count_of_alarms(f"{name} seeds, Friedman", friedman)
            yield self._count_of_alarms(f"{name} seeds, any pair", pairs)
            for test, found in zip(("Friedman", "any pair", "two variants alone"), wrong, strict=True):
                yield Count(f"WRONG blocks: {name} target x seed, {test}", found, self.studies)

    def power_by_seed(self) -> Iterator[Count]:
        """Measure the power for joint runs, with seeds as blocks, if a variant is better by A12 = .65."""
        rng = np.random.default_rng(self.seed)
        population = synthetic.Population(synthetic.together(self.population.draw(1, 4000, rng, luck=0.5))[0])
        better = population.better(A12)

        def found(variants: int, seeds: int, studies: int) -> int:
            rng = np.random.default_rng(self.seed)
            return synthetic.count(
                studies, lambda: population.draw(variants, seeds, rng, better), synthetic.first_pair
            )[0]

        for name, variants in (("two variants", 2), (f"one pair of {EQUALS} variants", EQUALS)):
            all_found = found(variants, SEEDS, self.studies)
            yield Count(f"A12 = {A12}, blocks are {SEEDS} seeds, {name}", all_found, self.studies)
            fewer = max(1, self.studies // 4)
            powers = partial(found, variants, studies=fewer)
            needed = synthetic.seeds_needed(math.ceil(POWER * fewer), powers, CANDIDATES)
            self.notes.append(
                f"Seeds needed to find A12 = {A12} with {POWER:.0%} by seeds, {name}: {needed or 'more than 200'}."
            )

    def factors(self) -> Iterator[Count]:
        """Measure false alarms and power for the levels of the factors of grids of 3 x 2."""
        budget = float(self.real[np.isfinite(self.real)].max())
        rng = np.random.default_rng(self.seed)
        (nothing,) = self._count(
            lambda: synthetic.permuted(synthetic.some(self.real, 6, rng), rng).reshape(3, 2, *self.real.shape[1:]),
            lambda grid: bool(synthetic.separated_levels(grid, budget)),
        )
        yield self._count_of_alarms("grid of 3 x 2, no difference, any pair of levels", nothing)
        rng = np.random.default_rng(self.seed)
        (found,) = self._count(
            lambda: synthetic.one_factor_only(synthetic.some(self.real, 3, rng), 2, rng),
            lambda grid: (1, (0, 1)) in synthetic.separated_levels(grid, budget),
        )
        yield self._count_of_alarms("grid of 3 x 2, the factor without effect", found)
        (seen, single) = self._better_level(budget)
        yield self._count_of_finds(f"grid of 3 x 2, a level better by A12 = {A12} in each setting", seen)
        yield Count(f"the same, one of the three pairs of variants by itself, of {15} pairs", single, self.studies)

    def _better_level(self, budget: float) -> tuple[int, int]:
        """Return the number of studies in which a better level is separated, and a better variant in one setting."""
        rng = np.random.default_rng(self.seed)
        better = self.population.better(A12)

        def grid() -> synthetic.Floats:
            return np.stack([self.population.draw(2, SEEDS, rng, better) for _ in range(3)])

        seen, single = self._count(
            grid,
            lambda each: (1, (0, 1)) in synthetic.separated_levels(each, budget),
            lambda each: (0, 1) in synthetic.separated(each.reshape(6, *each.shape[2:])),
        )
        return seen, single

    def _some(self, rng: synthetic.Rng) -> synthetic.Floats:
        return synthetic.some(self.real, VARIANTS, rng)

    def _population(self, censored: float = 0.0) -> synthetic.Population:
        """Return the population of the most reliable variant, on ten targets that allow an improvement.

        If there are fewer such targets, they are repeated.
        """
        runs = synthetic.steadiest(self.real)
        room = np.flatnonzero(np.isfinite(synthetic.Population(runs, _budgets(runs, censored)).better(A12)))
        runs = runs[np.resize(room, TARGETS)]
        return synthetic.Population(runs, _budgets(runs, censored))

    def _count(self, make: Any, *tests: Any) -> list[int]:
        return synthetic.count(self.studies, make, *tests)

    def _count_of_alarms(self, name: str, found: int) -> Count:
        return Count(name, found, self.studies, most=limit(self.studies))

    def _count_of_finds(self, name: str, found: int) -> Count:
        return Count(name, found, self.studies, least=math.ceil(POWER * self.studies))


def limit(studies: int, sure: float = 0.99) -> int:
    """Return the largest acceptable number of false alarms: the 99 % quantile of the binomial distribution at 5 %."""
    from scipy.stats import binom

    return int(binom.ppf(sure, studies, synthetic.LEVEL))


def _budgets(runs: synthetic.Floats, censored: float) -> synthetic.Floats:
    return np.quantile(runs, 1 - censored, axis=1, method="lower") if censored else np.full(len(runs), np.inf)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", default=RUNS)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names, real = synthetic.read(arguments.runs)
    calibration = Calibration(real, arguments.studies, arguments.seed)
    counts = []
    print(describe(names, real), "\n| | found | share | goal |\n|---|---:|---:|---|", sep="\n", flush=True)
    for figure in calibration.figures():
        counts.append(figure)
        print(figure.row(), flush=True)
    print("", *calibration.notes, sep="\n")
    if arguments.json:
        rows = [{**figure._asdict(), "missed": figure.missed} for figure in counts]
        content = {"figures": rows, "notes": calibration.notes, "variants": names, "environment": current_environment()}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return int(any(figure.missed for figure in counts))


def describe(names: list[str], real: synthetic.Floats) -> str:
    """Return a description of the real study."""
    variants, targets, seeds = real.shape
    censored = int(np.isinf(real).sum())
    return (
        f"The real study has {variants} variants x {targets} targets x {seeds} seeds ({', '.join(names)}); {censored} "
        f"of {real.size} runs are censored. Each synthetic study uses {min(variants, VARIANTS)} random variants."
    )


if __name__ == "__main__":
    sys.exit(main())
