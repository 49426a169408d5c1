"""Build a ``deap.base.Toolbox`` from a configuration: the plugins under DEAP's names, on batches, with ``rng`` bound.

The toolbox registers ``sample(count)``, ``decode(genomes)``, ``take(genomes, indices)``, ``mutate(genomes)``,
``mate(first, second)``, ``select(fitness, count, genomes)`` (of the last three, those that the algorithm uses),
``fitness(predictions, target)``, ``evaluate(genomes)`` and ``map(function, items)``. ``toolbox.targets`` are the target
classes of the run. ``toolbox.generation`` is the current generation, counted from 0; schedules use it.
``toolbox.lineage`` follows the genomes of the run, or is None if no operator asks for feedback about fitness.
``toolbox.bounds`` are the bounds of the genome, or None. ``toolbox.start`` are the genomes of the images from which the
run starts, or None; in the first generation, ``sample`` returns them first. ``toolbox.goal`` is the goal,
``{"confidence": 0.9999}``.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from deap import base

from fooldeap import contract_checks
from fooldeap.configuration.choices import Checked, Choice
from fooldeap.configuration.experiment import Experiment
from fooldeap.contract_checks import CHECKS, Check
from fooldeap.engine.evaluation import Evaluator
from fooldeap.engine.lineage import Lineage
from fooldeap.engine.operators import Operator
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import FITNESS_FEEDBACK, Array, Batch, Images, Predictions, Rng, Toolbox
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

    def operator(choice: Choice, *rng: Rng, check: Check | None = None) -> Operator | Checked:
        if toolbox.lineage is not None or choice.changes or choice.feedback:
            return Operator(choice, toolbox, toolbox.lineage, check, rng)
        return Checked(choice.plugin, check or CHECKS[choice.plugin.kind], choice.build(), rng)

    sampled = contract_checks.sampled(getattr(genome, "dtype", None))
    most = max(1, MOST_VALUES // math.prod(images))
    sample = of_genome(sampled, genome.sample, stream(seed, targets, "sample"))
    toolbox.start = start
    sampling = sample if start is None else _Started(sample, genome, toolbox)
    toolbox.register("sample", lambda count: sampling(_limited(count, most)))
    toolbox.register("decode", of_genome(contract_checks.decode(images), decode or genome.decode))
    toolbox.register("take", of_genome(contract_checks.take, genome.take))
    uses = experiment.algorithm.plugin.options["uses"]
    toolbox.lineage = _lineage([getattr(experiment, kind) for kind in uses], toolbox)
    if "mutation" in uses:
        toolbox.register("mutate", operator(experiment.mutation, stream(seed, targets, "mutate")))
    if "crossover" in uses:
        toolbox.register("mate", operator(experiment.crossover, stream(seed, targets, "mate")))
    if "selection" in uses:
        select = operator(experiment.selection, stream(seed, targets, "select"))
        toolbox.register("select", _Selection(experiment, most, select))
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
    if toolbox.lineage is not None:
        toolbox.lineage.evaluate(genomes, fitness)
    return fitness


def _lineage(operators: Sequence[Choice], toolbox: Toolbox) -> Lineage | None:
    """Return what follows the genomes, if an operator asks for it."""
    wanted = {name for choice in operators for name in choice.feedback} & FITNESS_FEEDBACK
    return Lineage(toolbox.take, wanted) if wanted else None


def _yield_instead(genomes: Batch) -> Array:
    raise PluginError(
        "an algorithm does not call toolbox.evaluate; write 'reply = yield genomes' and use reply.fitness"
    )


def _limited(count: int, most: int) -> int:
    """Return a number of genomes. It is at most ``most``."""
    if count > most:
        got = f"needs {count:,} genomes at a time"
        raise InputError(f"{got}, expected at most {most:,} for images of this size; make it smaller")
    return count


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


class _Selection:
    """A selection whose arguments are checked first. It gets the genomes if it asks for them."""

    def __init__(self, experiment: Experiment, most: int, call: Callable[..., Any]) -> None:
        self.plugin, self.algorithm = experiment.selection.plugin, experiment.algorithm.plugin
        self.check = contract_checks.selectable(self.plugin.options["objectives"])
        self.most, self.call = most, call

    def __call__(self, fitness: Array, count: int, genomes: Batch | None = None) -> Any:
        fault = self.check(fitness, _limited(count, self.most))
        if fault:
            raise PluginError(f"{self.plugin} {fault}")
        if "genomes" not in self.plugin.feedback:
            return self.call(fitness, count)
        if genomes is None:
            call = "toolbox.select(fitness, count, genomes)"
            raise PluginError(f"{self.plugin} needs the genomes, which {self.algorithm} does not pass; call {call}")
        if len(genomes) != len(fitness):
            raise PluginError(f"{self.plugin} received {len(genomes)} genomes for {len(fitness)} values of fitness")
        return self.call(fitness, count, genomes=genomes)
