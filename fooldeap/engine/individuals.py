"""A toolbox for DEAP's own algorithms: lists of individuals, each with its own fitness."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from deap import base

from fooldeap.contract_checks import described
from fooldeap.errors import InputError
from fooldeap.plugin import Array, Batch, Images, Toolbox


class Fitness(base.Fitness):  # type: ignore[misc]
    """A DEAP fitness with any number of objectives, all maximised. It needs no class in ``deap.creator``."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight 1 for each objective."""
        return (1.0,) * len(self.wvalues)

    def _set(self, values: Iterable[float]) -> None:
        self.wvalues = tuple(values)

    values = property(lambda self: self.wvalues, _set, base.Fitness.delValues)


class Individual:
    """A genome with its fitness. Individuals with equal genomes are equal.

    An individual is a mutable sequence, so that DEAP's own operators work on it. If the genome is an array, the
    sequence is its flat view: an index returns a number, and a slice returns a list; both are copies. Assigned values
    are rounded if the genome has integers, and clipped to its ``bounds`` or to the range of its dtype.
    """

    __slots__ = ("bounds", "fitness", "genome")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, genome: Any, bounds: tuple[float, float] | None = None) -> None:
        self.genome, self.bounds, self.fitness = genome, bounds, Fitness()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Individual) and bool(np.all(self.genome == other.genome))

    def __len__(self) -> int:
        return self.genome.size if isinstance(self.genome, np.ndarray) else len(self.genome)

    def __getitem__(self, place: int | slice) -> Any:
        return self.genome.flat[place].tolist() if isinstance(self.genome, np.ndarray) else self.genome[place]

    def __setitem__(self, place: int | slice, values: Any) -> None:
        if not isinstance(self.genome, np.ndarray):
            self.genome[place] = values
            return
        if np.shape(values) != np.shape(self.genome.flat[place]):
            raise ValueError(
                f"got {np.size(values)} values for {np.size(self.genome.flat[place])}; its length is fixed"
            )
        self.genome.flat[place] = _held(np.asarray(values), self.genome.dtype, self.bounds)


def _held(values: Array, dtype: np.dtype[Any], bounds: tuple[float, float] | None) -> Array:
    """Return values rounded and clipped for a genome of this dtype."""
    if dtype.kind in "iu":
        values, limits = np.rint(values), np.iinfo(dtype)
        bounds = bounds or (limits.min, limits.max)
    return np.clip(values, *bounds) if bounds else values


def individual_view(toolbox: Toolbox, evaluate: Callable[[Batch], Array] | None = None) -> Toolbox:
    """Return a ``deap.base.Toolbox`` for DEAP's unmodified algorithms, on the plugins of ``toolbox``.

    It registers ``individual``, ``population(n)``, ``clone``, ``evaluate``, ``map``, ``mate``, ``mutate``, ``select``
    and ``decode(individual)``, which returns the image uint8 (h, w, c). ``map`` recognises ``evaluate`` and evaluates
    all individuals in one batch.

    Parameters
    ----------
    toolbox : from `fooldeap.toolbox`
    evaluate : from a batch of genomes to their fitness (n,) or (n, k); by default ``toolbox.evaluate``
    """
    if not hasattr(toolbox, "sample"):
        raise InputError(f"got {described(toolbox)}, expected a toolbox, as fooldeap.toolbox(source) gives it")
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
    view.register("decode", _decode, toolbox)
    return view


def _batch(genomes: list[Any]) -> Batch:
    return np.stack(genomes) if isinstance(genomes[0], np.ndarray) else genomes


def _population(toolbox: Toolbox, n: int) -> list[Individual]:
    return [Individual(genome, toolbox.bounds) for genome in toolbox.sample(n)]


def _clone(toolbox: Toolbox, individual: Individual) -> Individual:
    clone = Individual(toolbox.take(_batch([individual.genome]), [0])[0], individual.bounds)
    clone.fitness.values = individual.fitness.values
    return clone


def _mate(toolbox: Toolbox, first: Individual, second: Individual) -> tuple[Individual, Individual]:
    one, other = toolbox.mate(_batch([first.genome]), _batch([second.genome]))
    first.genome, second.genome = one[0], other[0]
    return first, second


def _mutate(toolbox: Toolbox, individual: Individual) -> tuple[Individual]:
    individual.genome = toolbox.mutate(_batch([individual.genome]))[0]
    return (individual,)


def _select(toolbox: Toolbox, individuals: list[Individual], k: int) -> list[Individual]:
    fitness = np.array([individual.fitness.values for individual in individuals])
    genomes = _batch([individual.genome for individual in individuals]) if individuals else None
    chosen = toolbox.select(fitness[:, 0] if fitness.shape[1] == 1 else fitness, k, genomes)
    return [individuals[index] for index in chosen]


def _decode(toolbox: Toolbox, individual: Individual) -> Images:
    image: Images = toolbox.decode(_batch([individual.genome]))[0]
    return image
