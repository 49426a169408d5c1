"""Ten digits to 99.99 %: the default experiment against other libraries' algorithms, on the same classifier.

    pip install '.[peers]'
    python benchmarks/peers.py [--repeats 9] [--json FILE] [--only TEXT]

Every library evaluates its population by the same compiled function, a whole population at a time, and gets the same
population, budget and goal; what it has of its own is what its documentation recommends for a genetic algorithm on
numbers from 0 to 255. A digit ends at the goal or at 50 000 evaluations. Seconds are of evolution, without start-up.
One that is not installed, or fails, is left out, and named.
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
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.provenance import environment

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
GOAL, BUDGET, POPULATION = 0.9999, 50_000, 100
TEXTBOOK_GOAL = 20.0  # times as long as the default

Confidence = Callable[[np.ndarray], np.ndarray]  # of images (n, 784) of any numbers: confidence and score (2, n)


class Reached(BaseException):  # as KeyboardInterrupt is: libraries catch, and log, every Exception
    """The goal is reached, or the budget used up."""


class Asked:
    """A classifier asked about one digit, which counts and ends the run."""

    def __init__(self, classifier: Classifier, target: int) -> None:
        self.classifier, self.target = classifier, target
        self.evaluations, self.best = 0, 0.0

    def __call__(self, images: Any) -> np.ndarray:
        """Return log p of the target for images (n, 784) of numbers from 0 to 255."""
        pixels = np.clip(np.rint(images), 0, 255).astype(np.uint8).reshape(-1, *self.classifier.input_shape)
        padded = np.zeros((-(-len(pixels) // 32) * 32, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        scores = self.classifier.logits(padded)[: len(pixels)].astype(float)
        scores -= scores.max(axis=1, keepdims=True)
        log_p: np.ndarray = scores[:, self.target] - np.log(np.exp(scores).sum(axis=1))
        self.evaluations += len(pixels)
        self.best = max(self.best, float(np.exp(log_p.max())))
        if self.best >= GOAL or self.evaluations >= BUDGET:
            raise Reached
        return log_p


def textbook(asked: Asked, seed: int) -> None:
    """DEAP as in its tutorials, but for evaluating one individual at a time."""
    from deap import algorithms, base, creator, tools

    if not hasattr(creator, "Image"):
        creator.create("Best", base.Fitness, weights=(1.0,))
        creator.create("Image", list, fitness=creator.Best)
    random.seed(seed)
    toolbox: Any = base.Toolbox()
    toolbox.register("pixel", random.randint, 0, 255)
    toolbox.register("individual", tools.initRepeat, creator.Image, toolbox.pixel, 784)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", lambda image: (float(asked(np.array([image]))[0]),))
    toolbox.register("select", tools.selTournament, tournsize=5)
    toolbox.register("mate", tools.cxUniform, indpb=0.5)
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=255, indpb=0.01)
    algorithms.eaSimple(toolbox.population(POPULATION), toolbox, 1.0, 1.0, 10**6, verbose=False)


def pygad(asked: Asked, seed: int) -> None:
    """PyGAD's GA, its fitness in batches."""
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
        fitness_func=lambda _, images, __: asked(images).tolist(),
        random_seed=seed,
        suppress_warnings=True,
    ).run()


def pymoo(asked: Asked, seed: int) -> None:
    """Pymoo's GA, with its operators for integers."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.mutation.pm import PM
    from pymoo.optimize import minimize

    class Digit(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=784, n_obj=1, xl=0.0, xu=255.0)

        def _evaluate(self, x: Any, out: Any, *_: Any, **__: Any) -> None:
            out["F"] = -asked(x)[:, None]

    minimize(Digit(), GA(POPULATION, crossover=UX(), mutation=PM(eta=15)), ("n_gen", 10**6), seed=seed)


def pycma(asked: Asked, seed: int) -> None:
    """Pycma on the pixels, with a diagonal covariance matrix."""
    import cma

    options = {"bounds": [0, 255], "seed": seed, "verbose": -9, "CMA_diagonal": True, "popsize": POPULATION}
    strategy = cma.CMAEvolutionStrategy(np.full(784, 127.5), 60.0, options)
    while True:
        images = strategy.ask()
        strategy.tell(images, -asked(np.array(images)))


def evotorch_ga(asked: Asked, seed: int) -> None:
    """EvoTorch's genetic algorithm."""
    _evotorch(asked, seed, "ga")


def evotorch_snes(asked: Asked, seed: int) -> None:
    """EvoTorch's SNES."""
    _evotorch(asked, seed, "snes")


def _evotorch(asked: Asked, seed: int, which: str) -> None:
    logging.getLogger("evotorch.core").setLevel(logging.WARNING)
    import torch
    from evotorch import Problem, operators
    from evotorch.algorithms import SNES, GeneticAlgorithm

    def score(images: Any) -> Any:
        return torch.from_numpy(asked(images.numpy()))

    # SNES takes no bounds; what lies beyond them is clipped when it is shown.
    within = {"bounds" if which == "ga" else "initial_bounds": (0.0, 255.0)}
    problem = Problem("max", score, solution_length=784, vectorized=True, seed=seed, **within)
    if which == "ga":
        chosen = [
            operators.SimulatedBinaryCrossOver(problem, tournament_size=4, cross_over_rate=1.0, eta=8),
            operators.GaussianMutation(problem, stdev=25.0, mutation_probability=0.01),
        ]
        searcher = GeneticAlgorithm(problem, popsize=POPULATION, operators=chosen)
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
    return report(figures, notes, arguments.json, environment=environment())


def measure(only: str, repeats: int) -> tuple[list[Figure], list[str]]:
    """Return the seconds of each library divided by those of the default with the same seed, taken in turn."""
    default = prepared(1)
    classifier = default.classifier
    default.run(None)  # to warm up
    figures, notes = [], []
    for name, peer in PEERS.items():
        if only not in name:
            continue
        ratios, ends = [], []
        for seed in range(1, repeats + 1):
            ours = prepared(seed, classifier).run(None)
            try:
                seconds, reached, evaluations, disturbed = ten_digits(classifier, peer, seed)
            except Exception as error:  # it is not installed, or does not work on what is
                notes.append(f"{name}: left out ({type(error).__name__}: {error})")
                break
            ratios.append(seconds / ours.seconds)
            spent = f"{evaluations:,} evaluations, {seconds:.1f} s{' (disturbed)' * disturbed}"
            ends.append(f"{reached} of 10 in {spent} (fooldeap: {ours.evaluations:,}, {ours.seconds:.1f} s)")
            print(f"{name}: {ends[-1]}", file=sys.stderr, flush=True)
        if ratios:
            least = TEXTBOOK_GOAL if name == "textbook DEAP" else 1.0 if name in GENETIC else None
            figures.append(Figure(f"{name} / fooldeap", Spread.of(ratios), least))
            notes.append(f"{name}: {'; '.join(ends)}")
    return figures, notes


def prepared(seed: int, classifier: Classifier | None = None) -> ExperimentSession:
    """Return the default experiment with a seed, ready to run."""
    return ExperimentSession(config.load(CONFIG, ["reporters=[]", f"seed={seed}"]), classifier)


def ten_digits(classifier: Classifier, peer: Callable[[Asked, int], None], seed: int) -> tuple[float, int, int, bool]:
    """Return a library's seconds for ten digits, how many it reached, its evaluations, and whether it was disturbed."""
    reached = evaluations = 0
    with Stopwatch() as watch:
        for target in range(10):
            asked = Asked(classifier, target)
            with contextlib.suppress(Reached):
                peer(asked, seed)
            reached += asked.best >= GOAL
            evaluations += asked.evaluations
    return watch.seconds, reached, evaluations, (watch.others or 0.0) > 0.05


if __name__ == "__main__":
    sys.exit(main())
