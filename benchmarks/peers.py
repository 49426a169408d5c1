"""Compare the default experiment with algorithms of other libraries: the time for ten digits at 99.99 %.

    pip install '.[peers]'
    python benchmarks/peers.py [--repeats 9] [--json FILE] [--only TEXT]

All libraries use the same classifier, population size, budget and goal. They evaluate a whole population with one call
of the same compiled function, except DEAP. The other settings follow the documentation of each library for a genetic
algorithm on numbers from 0 to 255. A digit ends at the goal or after 50 000 evaluations. The seconds are those of the
evolution, without start-up. Libraries that are missing or fail are skipped and named.
"""

import contextlib
import logging
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Figure, Spread, Stopwatch, options, report

from fooldeap.configuration import config
from fooldeap.plugin import Classifier
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
GOAL, BUDGET, POPULATION = 0.9999, 50_000, 100
TEXTBOOK_GOAL = 20.0  # as a multiple of the time of the default


class RunEnded(BaseException):  # no Exception, because libraries catch and log those
    """The goal is reached or the budget is spent."""


class Objective:
    """The log probability of one digit; it counts the evaluations and ends the run with `RunEnded`."""

    def __init__(self, classifier: Classifier, target: int) -> None:
        self.classifier, self.target = classifier, target
        self.evaluations, self.best = 0, 0.0

    def __call__(self, images: Any) -> np.ndarray:
        """Return the log probability of the target for images (n, 784) with numbers from 0 to 255."""
        pixels = np.clip(np.rint(images), 0, 255).astype(np.uint8).reshape(-1, *self.classifier.input_shape)
        padded = np.zeros((-(-len(pixels) // 32) * 32, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        scores = self.classifier.logits(padded)[: len(pixels)].astype(float)
        scores -= scores.max(axis=1, keepdims=True)
        log_p: np.ndarray = scores[:, self.target] - np.log(np.exp(scores).sum(axis=1))
        self.evaluations += len(pixels)
        self.best = max(self.best, float(np.exp(log_p.max())))
        if self.best >= GOAL or self.evaluations >= BUDGET:
            raise RunEnded
        return log_p


def textbook(objective: Objective, seed: int) -> None:
    """Run DEAP as in its tutorials; it evaluates one individual at a time."""
    from deap import algorithms, base, creator, tools

    if not hasattr(creator, "Image"):
        creator.create("Best", base.Fitness, weights=(1.0,))
        creator.create("Image", list, fitness=creator.Best)
    random.seed(seed)
    toolbox: Any = base.Toolbox()
    toolbox.register("pixel", random.randint, 0, 255)
    toolbox.register("individual", tools.initRepeat, creator.Image, toolbox.pixel, 784)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", lambda image: (float(objective(np.array([image]))[0]),))
    toolbox.register("select", tools.selTournament, tournsize=5)
    toolbox.register("mate", tools.cxUniform, indpb=0.5)
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=255, indpb=0.01)
    algorithms.eaSimple(toolbox.population(POPULATION), toolbox, 1.0, 1.0, 10**6, verbose=False)


def pygad(objective: Objective, seed: int) -> None:
    """Run the genetic algorithm of PyGAD with batches."""
    import pygad

    pygad.GA(
        num_generations=10**6,
        num_parents_mating=POPULATION,
        sol_per_pop=POPULATION,
        num_genes=784,
        gene_type=np.uint8,
        gene_space={"low": 0, "high": 256},
        parent_selection_type="tournament",
        K_tournament=5,
        crossover_type="uniform",
        mutation_type="random",
        mutation_by_replacement=True,
        mutation_percent_genes=1,
        keep_elitism=1,
        fitness_batch_size=POPULATION,
        fitness_func=lambda _, images, __: objective(images).tolist(),
        random_seed=seed,
        suppress_warnings=True,
    ).run()


def pymoo(objective: Objective, seed: int) -> None:
    """Run the genetic algorithm of pymoo with uniform crossover and polynomial mutation."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.mutation.pm import PM
    from pymoo.optimize import minimize

    class Digit(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=784, n_obj=1, xl=0.0, xu=255.0)

        def _evaluate(self, x: Any, out: Any, *_: Any, **__: Any) -> None:
            out["F"] = -objective(x)[:, None]

    minimize(Digit(), GA(POPULATION, crossover=UX(), mutation=PM(eta=15)), ("n_gen", 10**6), seed=seed)


def pycma(objective: Objective, seed: int) -> None:
    """Run pycma on the pixels with a diagonal covariance matrix."""
    import cma

    options = {"bounds": [0, 255], "seed": seed, "verbose": -9, "CMA_diagonal": True, "popsize": POPULATION}
    strategy = cma.CMAEvolutionStrategy(np.full(784, 127.5), 60.0, options)
    while True:
        images = strategy.ask()
        strategy.tell(images, -objective(np.array(images)))


def evotorch_ga(objective: Objective, seed: int) -> None:
    """Run the genetic algorithm of EvoTorch."""
    _evotorch(objective, seed, "ga")


def evotorch_snes(objective: Objective, seed: int) -> None:
    """Run SNES of EvoTorch."""
    _evotorch(objective, seed, "snes")


def _evotorch(objective: Objective, seed: int, which: str) -> None:
    logging.getLogger("evotorch.core").setLevel(logging.WARNING)
    import torch
    from evotorch import Problem, operators
    from evotorch.algorithms import SNES, GeneticAlgorithm

    def score(images: Any) -> Any:
        return torch.from_numpy(objective(images.numpy()))

    # SNES has no bounds. Values outside the range are clipped in `Objective`.
    bounds = {"bounds" if which == "ga" else "initial_bounds": (0.0, 255.0)}
    problem = Problem("max", score, solution_length=784, vectorized=True, seed=seed, **bounds)
    if which == "ga":
        operators_of_ga = [
            operators.SimulatedBinaryCrossOver(problem, tournament_size=4, cross_over_rate=1.0, eta=8),
            operators.GaussianMutation(problem, stdev=25.0, mutation_probability=0.01),
        ]
        searcher = GeneticAlgorithm(problem, popsize=POPULATION, operators=operators_of_ga)
    else:
        searcher = SNES(problem, popsize=POPULATION, stdev_init=60.0)
    searcher.run(10**6)


PEERS = {
    "textbook DEAP": textbook,
    "PyGAD": pygad,
    "pymoo GA": pymoo,
    "EvoTorch GA": evotorch_ga,
    "EvoTorch SNES": evotorch_snes,
    "pycma on pixels": pycma,
}
GENETIC = {"PyGAD", "pymoo GA", "EvoTorch GA"}


def main() -> int:
    arguments = options(__doc__, only="libraries").parse_args()
    figures, notes = measure(arguments.only, arguments.repeats)
    return report(figures, notes, arguments.json, environment=current_environment())


def measure(only: str, repeats: int) -> tuple[list[Figure], list[str]]:
    """Return for each library the ratio of its seconds to those of the default with the same seed, run in turns."""
    default = prepare(1)
    classifier = default.classifier
    default.run(None)  # warm-up
    figures, notes = [], []
    for name, peer in PEERS.items():
        if only not in name:
            continue
        ratios, summaries = [], []
        for seed in range(1, repeats + 1):
            ours = prepare(seed, classifier).run(None)
            try:
                seconds, reached, evaluations, disturbed = ten_digits(classifier, peer, seed)
            except Exception as error:  # it is not installed, or incompatible with another package
                notes.append(f"{name}: skipped ({type(error).__name__}: {error})")
                break
            ratios.append(seconds / ours.seconds)
            cost = f"{evaluations:,} evaluations, {seconds:.1f} s{' (disturbed)' * disturbed}"
            summaries.append(f"{reached} of 10 in {cost} (fooldeap: {ours.evaluations:,}, {ours.seconds:.1f} s)")
            print(f"{name}: {summaries[-1]}", file=sys.stderr, flush=True)
        if ratios:
            least = TEXTBOOK_GOAL if name == "textbook DEAP" else 1.0 if name in GENETIC else None
            figures.append(Figure(f"{name} / fooldeap", Spread.of(ratios), least))
            notes.append(f"{name}: {'; '.join(summaries)}")
    return figures, notes


def prepare(seed: int, classifier: Classifier | None = None) -> ExperimentSession:
    """Return the default experiment with a seed, ready to run."""
    return ExperimentSession(config.load(CONFIG, ["reporters=[]", f"seed={seed}"]), classifier)


def ten_digits(
    classifier: Classifier, peer: Callable[[Objective, int], None], seed: int
) -> tuple[float, int, int, bool]:
    """Return the seconds of a library for ten digits, the digits reached, the evaluations, and if it was disturbed."""
    reached = evaluations = 0
    with Stopwatch() as watch:
        for target in range(10):
            objective = Objective(classifier, target)
            with contextlib.suppress(RunEnded):
                peer(objective, seed)
            reached += objective.best >= GOAL
            evaluations += objective.evaluations
    return watch.seconds, reached, evaluations, (watch.others or 0.0) > 0.05


if __name__ == "__main__":
    sys.exit(main())
