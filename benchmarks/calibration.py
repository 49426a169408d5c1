"""Are fooldeap's statistics calibrated: how often they find a difference where there is none, and where there is one.

    python benchmarks/calibration.py [RUNS.csv] [--studies 2000] [--seed 1] [--json FILE]

Thousands of studies are made up from a real one, whose ``runs.csv`` has the columns variant, target, seed and
evaluations_to_goal (empty where censored). Where no variant differs, a test at 5 % may find something in as many of
them as the binomial distribution allows in 99 %: 123 of 2000. The exit status is 1 where a goal is missed. Minutes.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import _studies as made
import numpy as np

from fooldeap.runs.provenance import environment
from fooldeap.study import stats

RUNS = Path(__file__).parent.parent / "tests/data/runs.csv"
VARIANTS = 6  # at most, in studies without a difference: 15 pairs
EQUALS = 5  # variants of a larger study with a difference: 10 pairs
TARGETS, SEEDS = 10, 15
A12, POWER = 0.65, 0.8
CANDIDATES = tuple(range(15, 205, 5))  # numbers of seeds


class Count(NamedTuple):
    """In how many of the studies something was found, with its goal; None is no goal."""

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
        verdict = (": MISSED" if self.missed else ": met") if goals else ""
        return f"| {self.name} | {self.found} | {100 * self.found / self.studies:.1f} % | {' '.join(goals)}{verdict} |"


class Calibration:
    """The measurements: each yields its figures."""

    def __init__(self, real: made.Floats, studies: int, seed: int) -> None:
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
        """Real values, dealt out among the variants within each block."""
        rng = np.random.default_rng(self.seed)
        friedman, pairs = self._count(lambda: made.permuted(self._some(rng), rng), made.friedman_alarms, made.any_pair)
        yield self._false("no difference, Friedman", friedman)
        yield self._false("no difference, any pair", pairs)

    def one_bad(self) -> Iterator[Count]:
        """One bad variant among equal ones, in two ways."""
        rng = np.random.default_rng(self.seed)
        for how, make in (
            ("has the worst of every block", made.worst_is_bad),
            ("never reaches the goal", made.failing_is_bad),
        ):
            (found,) = self._count(lambda make=make: make(self._some(rng), rng), made.any_equal_pair)
            yield self._false(f"one bad variant, which {how}: any pair of the others", found)

    def power(self) -> Iterator[Count]:
        """The population of the steadiest variant, and one better by A12 = .65 within each target."""
        for name, population, variants in (
            ("two variants", self.population, 2),
            (f"one pair of {EQUALS} variants", self.population, EQUALS),
            ("two variants, half of the runs of the worse one censored", self._population(censored=0.5), 2),
        ):
            found, a12 = self._found(population, variants)
            yield self._true(f"A12 = {A12}, {TARGETS} targets x {SEEDS} seeds, {name}", found)
            self.notes.append(f"A12 within targets, {name}: {a12:.4f} on average over the studies.")

    def _found(self, population: made.Population, variants: int) -> tuple[int, float]:
        """Return in how many studies the better variant is separated from an equal one, and their mean A12."""
        rng = np.random.default_rng(self.seed)
        better = population.better(A12)
        a12s: list[float] = []

        def make() -> made.Floats:
            study = population.draw(variants, SEEDS, rng, better)
            a12s.append(stats.a12(study[0], study[1]))
            return study

        return made.count(self.studies, make, made.first_pair)[0], float(np.mean(a12s))

    def by_seed(self) -> Iterator[Count]:
        """Separate runs added up over targets, as a study has them that compares them with joint runs."""
        rng = np.random.default_rng(self.seed)
        friedman, pairs = self._count(
            lambda: made.permuted(made.by_seed(self._some(rng)), rng), made.friedman_alarms, made.any_pair
        )
        yield self._false("no difference, blocks are seeds, Friedman", friedman)
        yield self._false("no difference, blocks are seeds, any pair", pairs)

    def joint_runs(self) -> Iterator[Count]:
        """Runs whose targets share the luck of the seed, by seeds, and as nobody should: by target x seed."""
        for luck in (0.25, 0.5):
            rng = np.random.default_rng(self.seed)
            friedman, pairs, *wrong = self._count(
                lambda luck=luck, rng=rng: self.population.draw(EQUALS, SEEDS, rng, luck=luck),
                lambda study: made.friedman_alarms(made.together(study)),
                lambda study: made.any_pair(made.together(study)),
                made.friedman_alarms,
                made.any_pair,
                lambda study: made.any_pair(study[:2]),
            )
            name = f"joint runs, luck {luck}, blocks are"
            yield self._false(f"{name} seeds, Friedman", friedman)
            yield self._false(f"{name} seeds, any pair", pairs)
            for what, found in zip(("Friedman", "any pair", "two variants alone"), wrong, strict=True):
                yield Count(f"WRONG blocks: {name} target x seed, {what}", found, self.studies)

    def power_by_seed(self) -> Iterator[Count]:
        """Joint runs of which one is better by A12 = .65 in evaluations to all targets."""
        rng = np.random.default_rng(self.seed)
        population = made.Population(made.together(self.population.draw(1, 4000, rng, luck=0.5))[0])
        better = population.better(A12)

        def found(variants: int, seeds: int, studies: int) -> int:
            rng = np.random.default_rng(self.seed)
            return made.count(studies, lambda: population.draw(variants, seeds, rng, better), made.first_pair)[0]

        for name, variants in (("two variants", 2), (f"one pair of {EQUALS} variants", EQUALS)):
            all_found = found(variants, SEEDS, self.studies)
            yield Count(f"A12 = {A12}, blocks are {SEEDS} seeds, {name}", all_found, self.studies)
            fewer = max(1, self.studies // 4)
            powers = partial(found, variants, studies=fewer)
            enough = made.seeds_needed(math.ceil(POWER * fewer), powers, CANDIDATES)
            self.notes.append(
                f"Seeds needed to find A12 = {A12} with {POWER:.0%} by seeds, {name}: {enough or 'more than 200'}."
            )

    def factors(self) -> Iterator[Count]:
        """Grids of 3 x 2, without a difference, and with a factor that makes one beside one that makes none."""
        budget = float(self.real[np.isfinite(self.real)].max())
        rng = np.random.default_rng(self.seed)
        (nothing,) = self._count(
            lambda: made.permuted(made.some(self.real, 6, rng), rng).reshape(3, 2, *self.real.shape[1:]),
            lambda grid: bool(made.separated_levels(grid, budget)),
        )
        yield self._false("grid of 3 x 2, no difference, any pair of levels", nothing)
        rng = np.random.default_rng(self.seed)
        (found,) = self._count(
            lambda: made.one_factor_only(made.some(self.real, 3, rng), 2, rng),
            lambda grid: (1, (0, 1)) in made.separated_levels(grid, budget),
        )
        yield self._false("grid of 3 x 2, the factor that does nothing", found)
        (seen, single) = self._better_level(budget)
        yield self._true(f"grid of 3 x 2, a level better by A12 = {A12} in each setting", seen)
        yield Count(f"the same, one of the three pairs of variants by itself, of {15} pairs", single, self.studies)

    def _better_level(self, budget: float) -> tuple[int, int]:
        """Return in how many studies a better level is separated, and the better variant of one setting."""
        rng = np.random.default_rng(self.seed)
        better = self.population.better(A12)

        def grid() -> made.Floats:
            return np.stack([self.population.draw(2, SEEDS, rng, better) for _ in range(3)])

        seen, single = self._count(
            grid,
            lambda each: (1, (0, 1)) in made.separated_levels(each, budget),
            lambda each: (0, 1) in made.separated(each.reshape(6, *each.shape[2:])),
        )
        return seen, single

    def _some(self, rng: made.Rng) -> made.Floats:
        return made.some(self.real, VARIANTS, rng)

    def _population(self, censored: float = 0.0) -> made.Population:
        """Return that of the steadiest variant, on the targets that leave room for being better, in turn up to ten."""
        runs = made.steadiest(self.real)
        room = np.flatnonzero(np.isfinite(made.Population(runs, _budgets(runs, censored)).better(A12)))
        runs = runs[np.resize(room, TARGETS)]
        return made.Population(runs, _budgets(runs, censored))

    def _count(self, make: Any, *verdicts: Any) -> list[int]:
        return made.count(self.studies, make, *verdicts)

    def _false(self, name: str, found: int) -> Count:
        return Count(name, found, self.studies, most=limit(self.studies))

    def _true(self, name: str, found: int) -> Count:
        return Count(name, found, self.studies, least=math.ceil(POWER * self.studies))


def limit(studies: int, sure: float = 0.99) -> int:
    """Return the most false alarms at 5 % that so many studies give, in 99 % of such counts."""
    from scipy.stats import binom

    return int(binom.ppf(sure, studies, made.LEVEL))


def _budgets(runs: made.Floats, censored: float) -> made.Floats:
    return np.quantile(runs, 1 - censored, axis=1, method="lower") if censored else np.full(len(runs), np.inf)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", default=RUNS)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names, real = made.read(arguments.runs)
    calibration = Calibration(real, arguments.studies, arguments.seed)
    counts = []
    print(describe(names, real), "\n| | found | share | goal |\n|---|---:|---:|---|", sep="\n", flush=True)
    with made.quick():
        for figure in calibration.figures():
            counts.append(figure)
            print(figure.row(), flush=True)
    print("", *calibration.notes, sep="\n")
    if arguments.json:
        rows = [{**figure._asdict(), "missed": figure.missed} for figure in counts]
        content = {"figures": rows, "notes": calibration.notes, "variants": names, "environment": environment()}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return int(any(figure.missed for figure in counts))


def describe(names: list[str], real: made.Floats) -> str:
    """Return in words what the studies were made from."""
    variants, targets, seeds = real.shape
    lost = int(np.isinf(real).sum())
    return (
        f"From {variants} variants x {targets} targets x {seeds} seeds ({', '.join(names)}), {lost} of {real.size} runs"
        f" censored; studies of {min(variants, VARIANTS)} of them, drawn anew for each."
    )


if __name__ == "__main__":
    sys.exit(main())
