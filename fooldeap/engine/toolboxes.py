"""Build a ``deap.base.Toolbox`` from a configuration: the plugins under DEAP's names, on batches, with ``rng`` bound.

The toolbox registers ``sample(count)``, ``decode(genomes)``, ``take(genomes, indices)``, ``mutate(genomes)``,
``mate(first, second)``, ``select(fitness, count)`` (of the last three, those that the algorithm uses),
``fitness(predictions, target)``, ``evaluate(genomes)`` and ``map(function, items)``. ``toolbox.targets`` are the target
classes of the run. ``toolbox.generation`` is the current generation, counted from 0; schedules use it.
``toolbox.bounds`` are the bounds of the genome, or None. ``toolbox.start`` are the genomes of the images from which the
run starts, or None; in the first generation, ``sample`` returns them first. ``toolbox.goal`` is the goal,
``{"confidence": 0.9999}``.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from deap import base

from fooldeap import contract_checks
from fooldeap.configuration.choices import Checked, Choice
from fooldeap.configuration.experiment import Experiment
from fooldeap.contract_checks import Check
from fooldeap.engine.evaluation import Evaluator
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import Array, Batch, Images, Plugin, Predictions, Rng, Toolbox
from fooldeap.results import RunInfo

MOST_VALUES = 1 << 32  # of all images of a population


def stream(seed: int, targets: tuple[int, ...], purpose: str) -> Rng:
    """Return the random stream for one purpose of one run.

    It depends on seed, targets and purpose only. Two experiments with different selections, for example, therefore
    start with the same population.
    """
    name = hashlib.sha256(f"{','.join(map(str, targets))};{purpose}".encode()).digest()
    words = np.frombuffer(name, "<u4").tolist()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *words])))


def build(
    experiment: Experiment,
    genome: Any,
    evaluator: Evaluator,
    info: RunInfo,
    *,
    decode: Callable[[Batch], Images] | None = None,
    map: Callable[..., Any] = map,
    evaluate: bool = True,
    start: Batch | None = None,
) -> Toolbox:
    """Return the toolbox of one run. ``decode`` and ``map`` may use other processes.

    ``start`` are genomes with which the first population begins.

    Without ``evaluate``, ``toolbox.evaluate`` raises an error, because the algorithm of a run must yield its genomes.
    """
    images, (seed, targets, _) = evaluator.classifier.input_shape, info
    toolbox = base.Toolbox()
    toolbox.targets, toolbox.generation = targets, 0
    toolbox.bounds, toolbox.goal = getattr(genome, "bounds", None), experiment.stop.goal

    def of_genome(check: Check, call: Callable[..., Any], *rng: Rng) -> Checked:
        return Checked(experiment.genome.plugin, check, call, rng)

    def operator(choice: Choice, *rng: Rng, check: Check | None = None) -> Checked:
        call = _Scheduled(choice, toolbox) if choice.changes else choice.build()
        return Checked(choice.plugin, check or contract_checks.CHECKS[choice.plugin.kind], call, rng)

    sampled = contract_checks.sampled(getattr(genome, "dtype", None))
    most = max(1, MOST_VALUES // math.prod(images))
    sample = of_genome(sampled, genome.sample, stream(seed, targets, "sample"))
    toolbox.start = start
    toolbox.register("sample", _Limited(most, sample if start is None else _Started(sample, genome, toolbox)))
    toolbox.register("decode", of_genome(contract_checks.decode(images), decode or genome.decode))
    toolbox.register("take", of_genome(contract_checks.take, genome.take))
    uses = experiment.algorithm.plugin.options["uses"]
    if "mutation" in uses:
        toolbox.register("mutate", operator(experiment.mutation, stream(seed, targets, "mutate")))
    if "crossover" in uses:
        toolbox.register("mate", operator(experiment.crossover, stream(seed, targets, "mate")))
    if "selection" in uses:
        selectable = contract_checks.selectable(experiment.selection.plugin.options["objectives"])
        select = operator(experiment.selection, stream(seed, targets, "select"))
        toolbox.register("select", _Limited(most, _Guarded(experiment.selection.plugin, selectable, select)))
    # With `evaluate`, the algorithm is the caller's, not that of the experiment.
    one = not evaluate and experiment.algorithm.plugin.options["objectives"] == "one"
    check = contract_checks.single_objective if one else None
    toolbox.register("fitness", operator(experiment.fitness, check=check))
    toolbox.register("map", map)
    if evaluate:
        toolbox.register("evaluate", _evaluate, toolbox, evaluator)
    else:
        toolbox.register("evaluate", _yield_instead)
    return toolbox


def _evaluate(toolbox: Toolbox, evaluator: Evaluator, genomes: Batch) -> Array:
    """Return the fitness (n,) or (n, k) of a batch for the run's (first) target."""
    images = toolbox.decode(genomes)
    (logits,) = evaluator.logits([images])
    fitness: Array = toolbox.fitness(Predictions(logits, images, evaluator.confidence_kind), toolbox.targets[0])
    return fitness


def _yield_instead(genomes: Batch) -> Array:
    raise PluginError(
        "an algorithm does not call toolbox.evaluate; write 'reply = yield genomes' and use reply.fitness"
    )


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


class _Limited:
    """An operator whose last argument is a number of genomes, at most ``most``."""

    def __init__(self, most: int, call: Callable[..., Any]) -> None:
        self.most, self.call = most, call

    def __call__(self, *arguments: Any) -> Any:
        if arguments[-1] > self.most:
            got = f"needs {arguments[-1]:,} genomes at a time"
            raise InputError(f"{got}, expected at most {self.most:,} for images of this size; make it smaller")
        return self.call(*arguments)


class _Started:
    """Samples genomes. In the first generation, ``toolbox.start`` replaces the first of them."""

    def __init__(self, sample: Callable[..., Any], genome: Any, toolbox: Toolbox) -> None:
        self.sample, self.genome, self.toolbox = sample, genome, toolbox

    def __call__(self, count: int) -> Batch:
        genomes = self.sample(count)
        if self.toolbox.generation > 0:
            return genomes
        number = min(count, len(self.toolbox.start))
        given = self.genome.take(self.toolbox.start, range(number))
        if isinstance(genomes, list):
            return [*given, *genomes[number:]]
        genomes[:number] = given
        return genomes


class _Guarded:
    """An operator whose arguments are checked against its contract first."""

    def __init__(self, plugin: Plugin, check: Check, call: Callable[..., Any]) -> None:
        self.plugin, self.check, self.call = plugin, check, call

    def __call__(self, *arguments: Any) -> Any:
        fault = self.check(*arguments)
        if fault:
            raise PluginError(f"{self.plugin} {fault}")
        return self.call(*arguments)
