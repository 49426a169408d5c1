"""From a configuration to a ``deap.base.Toolbox``: the plugins under DEAP's names, on whole batches, rng bound.

What is registered: ``sample(count)``, ``decode(genomes)``, ``take(genomes, indices)``, ``mutate(genomes)``,
``mate(first, second)``, ``select(fitness, count)``, ``fitness(predictions, target)``, ``evaluate(genomes)`` and
``map(function, items)``. ``toolbox.targets`` are the classes the run pursues, ``toolbox.generation`` is the one under
way, counted from 0, which schedules follow.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from deap import base

from fooldeap.choices import Choice
from fooldeap.config import Experiment
from fooldeap.errors import FooldeapError, PluginError
from fooldeap.evaluation import Evaluator, described
from fooldeap.plugin import Array, Batch, Images, Plugin, Predictions, Rng, Toolbox


def stream(seed: int, targets: tuple[int, ...], purpose: str) -> Rng:
    """Return the random stream for one purpose of one run.

    It is named by seed, targets and purpose alone, so that two experiments that differ in, say, their selection start
    from the same population.
    """
    name = hashlib.sha256(f"{','.join(map(str, targets))};{purpose}".encode()).digest()
    words = np.frombuffer(name, "<u4").tolist()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *words])))


def build(experiment: Experiment, evaluator: Evaluator, seed: int, targets: tuple[int, ...]) -> Toolbox:
    """Return the toolbox of one run."""
    genome = experiment.genome.build(evaluator.classifier.input_shape)
    images = evaluator.classifier.input_shape
    toolbox = base.Toolbox()
    toolbox.targets, toolbox.generation = targets, 0

    def bound(name: str, choice: Choice, check: Callable[..., Any], call: Callable[..., Any], *rng: Rng) -> None:
        toolbox.register(name, _Checked(choice.plugin, check, call, rng))

    def operator(name: str, choice: Choice, check: Callable[..., Any], *rng: Rng) -> None:
        bound(name, choice, check, _Scheduled(choice, toolbox) if choice.changes else choice.build(), *rng)

    bound("sample", experiment.genome, _check_sample, genome.sample, stream(seed, targets, "sample"))
    bound("decode", experiment.genome, _check_decode(images), genome.decode)
    bound("take", experiment.genome, _check_take, genome.take)
    operator("mutate", experiment.mutation, _check_same, stream(seed, targets, "mutate"))
    operator("mate", experiment.crossover, _check_pair, stream(seed, targets, "mate"))
    operator("select", experiment.selection, _check_indices, stream(seed, targets, "select"))
    operator("fitness", experiment.fitness, _check_fitness)
    toolbox.register("map", evaluator.map)
    toolbox.register("evaluate", _evaluate, toolbox, evaluator)
    return toolbox


def _evaluate(toolbox: Toolbox, evaluator: Evaluator, genomes: Batch) -> Array:
    """Return the fitness (n,) or (n, k) of a batch for the run's (first) target."""
    images = toolbox.decode(genomes)
    (logits,) = evaluator.logits([images])
    fitness: Array = toolbox.fitness(Predictions(logits, images), toolbox.targets[0])
    return fitness


class _Scheduled:
    """An operator whose parameters follow schedules."""

    def __init__(self, choice: Choice, toolbox: Toolbox) -> None:
        self.choice, self.toolbox = choice, toolbox
        self._generation, self._operator = -1, None

    def __call__(self, *arguments: Any) -> Any:
        if self._generation != self.toolbox.generation:
            self._generation = self.toolbox.generation
            self._operator = self.choice.build(generation=self._generation)
        return self._operator(*arguments)  # type: ignore[misc]


class _Checked:
    """An operator whose results are held against its contract, so that an error names the plugin at fault."""

    def __init__(
        self, plugin: Plugin, check: Callable[..., str | None], call: Callable[..., Any], rng: tuple[Rng, ...]
    ) -> None:
        self.plugin, self.check, self.call, self.rng = plugin, check, call, rng

    def __call__(self, *arguments: Any) -> Any:
        try:
            result = self.call(*arguments, *self.rng)
        except FooldeapError:
            raise
        except Exception as error:
            raise PluginError(f"{self.plugin} raised {type(error).__name__}: {error}") from error
        fault = self.check(result, *arguments)
        if fault:
            raise PluginError(f"{self.plugin} {fault}")
        return result


def _check_sample(genomes: Batch, count: int) -> str | None:
    return None if _length(genomes) == count else f"gave {described(genomes)} for {count} genomes"


def _check_decode(shape: tuple[int, int, int]) -> Callable[[Images, Batch], str | None]:
    def check(images: Images, genomes: Batch) -> str | None:
        wanted = (len(genomes), *shape)
        if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape == wanted:
            return None
        return f"decoded to {described(images)}, expected uint8 {wanted}"

    return check


def _check_take(taken: Batch, genomes: Batch, indices: Any) -> str | None:
    return None if _length(taken) == len(indices) else f"took {described(taken)} for {len(indices)} indices"


def _check_same(result: Batch, genomes: Batch) -> str | None:
    if result is None:
        return "returned None; return the genomes"
    if isinstance(genomes, np.ndarray):
        same = isinstance(result, np.ndarray) and (result.shape, result.dtype) == (
            genomes.shape,
            genomes.dtype,
        )
        return None if same else f"returned {described(result)}, expected {described(genomes)}"
    return None if _length(result) == len(genomes) else f"returned {described(result)}, expected {len(genomes)} genomes"


def _check_pair(result: Any, first: Batch, second: Batch) -> str | None:
    if not (isinstance(result, tuple) and len(result) == 2):
        return f"returned {described(result)}, expected two batches of children"
    return _check_same(result[0], first) or _check_same(result[1], second)


def _check_indices(indices: Any, fitness: Array, count: int) -> str | None:
    array = np.asarray(indices)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        return f"returned {described(array)}, expected {count} indices"
    if count and not (array.min() >= 0 and array.max() < len(fitness)):
        return f"returned indices outside the population of {len(fitness)}"
    return None


def _check_fitness(fitness: Any, predictions: Predictions, target: int) -> str | None:
    rows = len(predictions.logits)
    if not isinstance(fitness, np.ndarray) or fitness.dtype != np.float64 or fitness.shape[:1] != (rows,):
        return f"returned {described(fitness)}, expected float64 ({rows},) or ({rows}, k)"
    return None if np.isfinite(fitness).all() else "returned values that are not finite"


def _length(batch: Any) -> int:
    return len(batch) if isinstance(batch, np.ndarray | list) else -1
