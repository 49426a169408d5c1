"""A toolbox as DEAP's own algorithms want it: individuals one by one, in lists, with a fitness each."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from deap import base

from fooldeap.plugin import Array, Batch, Toolbox


class Individual:
    """A genome with its ``deap.base.Fitness``; two are equal where their genomes are."""

    __slots__ = ("fitness", "genome")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, genome: Any, fitness: base.Fitness) -> None:
        self.genome, self.fitness = genome, fitness

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Individual) and bool(np.all(self.genome == other.genome))

    def __len__(self) -> int:
        return len(self.genome)


@functools.cache
def fitness_class(objectives: int) -> type[base.Fitness]:
    """Return the class of a fitness of so many objectives, all maximised; nothing is registered in ``deap.creator``."""
    return type("Fitness", (base.Fitness,), {"weights": (1.0,) * objectives})


def individual_view(toolbox: Toolbox, evaluate: Callable[[Batch], Array] | None = None) -> Toolbox:
    """Return a ``deap.base.Toolbox`` for DEAP's unmodified algorithms, on the plugins of ``toolbox``.

    It registers ``individual``, ``population(n)``, ``clone``, ``evaluate``, ``map``, ``mate``, ``mutate`` and
    ``select``. ``map`` recognises ``evaluate`` and asks the classifier about all individuals at once.

    Parameters
    ----------
    toolbox : of `fooldeap.toolbox`
    evaluate : from a batch of genomes to their fitness (n,) or (n, k); by default ``toolbox.evaluate``
    """
    evaluate = evaluate or toolbox.evaluate
    view = base.Toolbox()

    def evaluate_all(individuals: Iterable[Individual]) -> list[tuple[float, ...]]:
        genomes = [individual.genome for individual in individuals]
        if not genomes:
            return []
        fitness = evaluate(_batch(genomes))
        return [tuple(row) for row in fitness.reshape(len(genomes), -1).tolist()]

    def mapped(function: Callable[..., Any], items: Iterable[Any], *more: Iterable[Any]) -> list[Any]:
        return evaluate_all(items) if function is view.evaluate else list(map(function, items, *more))

    view.register("population", _population, toolbox)
    view.register("individual", lambda: _population(toolbox, 1)[0])
    view.register("clone", _clone, toolbox)
    view.register("evaluate", lambda individual: evaluate_all([individual])[0])
    view.register("map", mapped)
    view.register("mate", _mate, toolbox)
    view.register("mutate", _mutate, toolbox)
    view.register("select", _select, toolbox)
    return view


def _batch(genomes: list[Any]) -> Batch:
    return np.stack(genomes) if isinstance(genomes[0], np.ndarray) else genomes


def _population(toolbox: Toolbox, n: int) -> list[Individual]:
    return [Individual(genome, fitness_class(1)()) for genome in toolbox.sample(n)]


def _clone(toolbox: Toolbox, individual: Individual) -> Individual:
    fitness = type(individual.fitness)()
    if individual.fitness.valid:
        fitness.values = individual.fitness.values
    return Individual(toolbox.take(_batch([individual.genome]), [0])[0], fitness)


def _mate(toolbox: Toolbox, first: Individual, second: Individual) -> tuple[Individual, Individual]:
    one, other = toolbox.mate(_batch([first.genome]), _batch([second.genome]))
    first.genome, second.genome = one[0], other[0]
    return first, second


def _mutate(toolbox: Toolbox, individual: Individual) -> tuple[Individual]:
    individual.genome = toolbox.mutate(_batch([individual.genome]))[0]
    return (individual,)


def _select(toolbox: Toolbox, individuals: list[Individual], k: int) -> list[Individual]:
    fitness = np.array([individual.fitness.values for individual in individuals])
    chosen = toolbox.select(fitness[:, 0] if fitness.shape[1] == 1 else fitness, k)
    return [individuals[index] for index in chosen]
