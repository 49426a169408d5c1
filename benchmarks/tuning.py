"""Compare two ways to stop poor configurations early: the races of docs/tuning.md.

    python benchmarks/tuning.py [--repeats 6] [--images 400000]

`wilcoxon` is what ``fooldeap tune`` does: each configuration is compared with the best one so far by Wilcoxon's test.
`f-race` is an iterated race (Birattari et al. 2002; López-Ibáñez et al. 2016) with the statistics of the study: five
configurations are proposed together and race against the best one so far; after each block of runs, Friedman's test and
Conover's test after it eliminate those that are worse than the best of the race. `all runs` stops nothing early. Each
repeat has another seed, and the same budget of images. The best configuration of each search is then tested on unseen
seeds, relative to the initial configuration.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooldeap.study import stats
from fooldeap.tuning import settings
from fooldeap.tuning.instances import Arena, Network, RunCost, open_networks
from fooldeap.tuning.race import Race
from fooldeap.tuning.trials import Trial, Trials, load_optuna

CONFIG = Path(__file__).parents[1] / "configs/tuning.yaml"
TOGETHER, ALPHA = 5, 0.05  # configurations in a race besides the best one; level of its tests


class AllRuns(Race):
    """A search that stops no configuration early."""

    def __init__(self, arena: Arena, trials: Trials, images: int, block: int) -> None:
        super().__init__(arena, trials, images, len(arena.instances))


class FRace(Race):
    """A search by races of several configurations."""

    def run(self) -> None:
        """Race until the images are used up."""
        strategy = self.arena.strategy
        initial = self.trials.propose(strategy.space.values_of(strategy.initial))
        best = self._try(initial)
        assert best is not None
        while True:
            racing = [self.trials.propose({}) for _ in range(TOGETHER)]
            winner = self._race(best, [each for each in racing if self._starts(each)])
            if winner is None:
                return
            best = winner

    def _starts(self, trial: Trial) -> bool:
        same = self._same(trial)
        if same is not None:
            self.trials.finish(trial, "repeated", same.value or 0.0)
        return same is None

    def _race(self, best: Trial, racing: list[Trial]) -> Trial | None:
        """Return the best configuration after a race, or None if the images were used up during it."""
        instances = self.arena.instances
        done = 0
        while racing and done < len(instances):
            count = min(self.block, len(instances) - done)
            if self.images - self.used < count * len(racing) * self.arena.run_budget:
                return None
            block = instances[done : done + count]
            experiments = {str(each.number): self.arena.strategy.experiment(each.values) for each in racing}
            costs = self.arena.evaluate(experiments, block)
            new = {each.number: [costs[str(each.number), one] for one in block] for each in racing}
            racing = [self.trials.record(each, [*each.results, *new[each.number]]) for each in racing]
            done += count
            kept = self._survivors([best, *racing], done)
            for each in racing:
                if each.number not in kept or done == len(instances):
                    self._finish(each, "complete" if done == len(instances) else "stopped early")
            racing = [each for each in racing if each.number in kept]
        ended = [each for each in self.trials.all() if each.state == "complete"]
        return min(ended, key=lambda each: (each.value or 0.0, each.number))

    def _survivors(self, racing: Sequence[Trial], done: int) -> set[int]:
        """Return the numbers of the configurations that are not worse than the best of the race."""
        blocks = np.array([self._logarithms(each.results[:done]) for each in racing])
        means = blocks.mean(axis=1)
        first = int(means.argmin())
        if len(racing) == 2:
            worse = [False, False]
            worse[1 - first] = stats.signed_rank(10 ** blocks[0], 10 ** blocks[1]) < ALPHA
        elif stats.friedman(blocks) < ALPHA:
            from scikit_posthocs import posthoc_conover_friedman

            p_values = posthoc_conover_friedman(blocks.T).to_numpy()
            worse = [bool(p_values[first, other] < ALPHA) for other in range(len(racing))]
        else:
            worse = [False] * len(racing)
        return {each.number for each, is_worse in zip(racing, worse, strict=True) if not is_worse}

    def _logarithms(self, results: Sequence[RunCost]) -> list[float]:
        pairs = zip(self.arena.instances, results, strict=False)
        return [cost.logarithm(self.arena.budget_of(each)) for each, cost in pairs]


METHODS: dict[str, type[Race]] = {"wilcoxon": Race, "f-race": FRace, "all runs": AllRuns}


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in arguments.methods}
    tried: dict[str, list[int]] = {name: [] for name in arguments.methods}
    for repeat in range(arguments.repeats):
        for name in arguments.methods:
            ratio, trials = measure(METHODS[name], arguments.images, 1000 * (repeat + 1))
            found[name].append(ratio)
            tried[name].append(trials)
            print(f"repeat {repeat + 1}, {name}: {ratio:.3f} after {trials} configurations", flush=True)
    print("| race | images on unseen seeds / those of the initial configuration | each repeat | tried |")
    print("|---|---:|---|---:|")
    for name, ratios in found.items():
        mean = math.exp(np.mean(np.log(ratios)))
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"| {name} | {mean:.3f} | {each} | {np.mean(tried[name]):.0f} |")
    for other in arguments.methods[1:]:
        p = stats.signed_rank(np.array(found[arguments.methods[0]]), np.array(found[other]))
        print(f"{arguments.methods[0]} and {other}: p = {p:.3f} (Wilcoxon's signed-rank test over the repeats)")


def measure(method: type[Race], images: int, seed: int) -> tuple[float, int]:
    """Return the geometric mean of the costs on unseen seeds relative to the initial configuration, and the trials."""
    tuning = settings.load(CONFIG, [f"images={images}", "budget=5000", f"seed={seed}"])
    with open_networks(tuning) as networks:
        arena = Arena(tuning, tuning.strategies[""], networks)
        trials = Trials(load_optuna().storages.InMemoryStorage(), "tuning", arena.strategy.space, seed)
        method(arena, trials, images, tuning.block).run()
        complete = [each for each in trials.all() if each.state == "complete"]
        best = min(complete, key=lambda each: (each.value or 0.0, each.number))
        return _on_unseen(arena, networks, best), len(trials.all())


def _on_unseen(arena: Arena, networks: Sequence[Network], best: Trial) -> float:
    """Run the best and the initial configuration on seeds that follow those of the search."""
    unseen = [each._replace(run=each.run._replace(seed=each.run.seed + 500)) for each in arena.instances]
    strategy = arena.strategy
    experiments = {"initial": strategy.initial, "best": strategy.experiment(best.values)}
    costs = arena.evaluate(experiments, unseen)
    budget = arena.run_budget
    differences = [costs["best", each].logarithm(budget) - costs["initial", each].logarithm(budget) for each in unseen]
    return float(10 ** np.mean(differences))


if __name__ == "__main__":
    main()
