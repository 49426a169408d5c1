"""Count the evaluations that each genome needs, and time its decoding.

    python benchmarks/genomes.py [--model mnist_cnn] [--seeds 11] [--json FILE] [--only TEXT]

The evaluations are those until all ten digits were reached; a run that misses the goal counts with its budget. The
decoding time is in microseconds per image, for a batch of 100. To add a case, add it to ``CASES``.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _measure import Figure, Spread, options, report

import fooldeap
from fooldeap.configuration import config
from fooldeap.plugin import Genome
from fooldeap.runs.environment import current_environment

CONFIGS = Path(__file__).parent.parent / "configs"
BATCH = 100
ROUNDS = 50


class Case(NamedTuple):
    """A measured case: a file of ``configs``, and overrides."""

    file: str
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The arguments of the command."""
        return " ".join([f"{self.file}.yaml", *self.words])


NORMAL = "mutation={name: gaussian, rate: 0.1, sigma: 200}"
CASES = (
    Case("mnist"),
    Case("mnist", ("genome=binary", "mutation=invert")),
    Case("mnist", ("genome=blocks",)),
    Case("mnist", ("genome=dct", NORMAL)),
    Case("evolution_strategy"),
    Case("cma_es"),
    Case("mnist", ("genome=dct", "algorithm=one_plus_one", "mutation={name: gaussian, rate: 1, sigma: 150}")),
)


def main() -> int:
    """Measure all cases and print a table."""
    parser = options(__doc__, only="genomes")
    parser.add_argument("--model", default="mnist_cnn")
    parser.add_argument("--seeds", type=int, default=11)
    arguments = parser.parse_args()
    figures, notes, genomes = [], [], {}
    for case in CASES:
        if arguments.only not in case.name:
            continue
        experiment = config.load(CONFIGS / f"{case.file}.yaml", case.words)
        genomes[experiment.genome.plugin.name] = experiment.genome.build((28, 28, 1))
        spread, missed = evaluations(case, arguments.model, arguments.seeds)
        figures.append(Figure(f"evaluations, {case.name}", spread))
        notes += [f"{case.name}: {missed} runs missed the goal"] if missed else []
    for name, genome in genomes.items():
        figures.append(Figure(f"decode, {name}, µs per image", Spread.of(microseconds(genome, arguments.repeats))))
    return report(figures, notes, arguments.json, environment=current_environment())


def evaluations(case: Case, model: str, seeds: int) -> tuple[Spread, int]:
    """Return the spread over seeds of the evaluations to reach all targets, and the number of runs that missed."""
    settings: dict[str, Any] = {"seeds": seeds, "reporters": [], "quiet": True}
    with tempfile.TemporaryDirectory() as folder:
        words = (*case.words, f"classifier.model={model}")
        result = fooldeap.run(CONFIGS / f"{case.file}.yaml", *words, out=Path(folder) / "run", **settings)
    totals = dict.fromkeys((run.seed for run in result), 0)
    for run in result:
        totals[run.seed] += run.evaluations_to_goal or run.evaluations
    return Spread.of(list(totals.values())), sum(not run.reached for run in result)


def microseconds(genome: Genome, repeats: int) -> list[float]:
    """Return for each repeat the median decoding time per image in microseconds."""
    genomes = genome.sample(BATCH, np.random.default_rng(1))
    medians = []
    for _ in range(repeats):
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            genome.decode(genomes)
            times.append(time.perf_counter() - start)
        medians.append(1e6 * float(np.median(times)) / BATCH)
    return medians


if __name__ == "__main__":
    sys.exit(main())
