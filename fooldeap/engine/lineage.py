"""Follows the genomes of a run from parents to children, for operators that ask for feedback.

Genomes are recognised by their content. So all algorithms are followed without changes, including DEAP's own.
"""

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash

from fooldeap.contract_checks import described
from fooldeap.engine.evaluation import row_digests
from fooldeap.errors import PluginError
from fooldeap.plugin import Array, Batch, Offspring, Population

MOST = 1 << 16  # genomes; those that were not used for the longest time are forgotten


class _Credit(NamedTuple):
    """Says that an operator made a child."""

    maker: Hashable
    number: int
    parent_fitness: float


Digests = Sequence[bytes]
Credits = dict[bytes, deque[tuple[_Credit, ...]]]


class Lineage:
    """The evaluated genomes of a run, and the children that were made of them.

    Parameters
    ----------
    take : returns copies of genomes at indices; None: no population is kept
    """

    def __init__(self, take: Callable[[Batch, Array], Batch] | None = None) -> None:
        self._take = take
        self._population: Population | None = None
        self._fitness: dict[bytes, float] = {}  # of evaluated genomes, the last used last
        self._parents: dict[bytes, float] = {}  # of children since the last evaluation
        self._credits: Credits = {}  # of these children; equal children have several
        self._inner: Credits = {}  # given by nested operators during a call
        self._made: dict[Hashable, int] = defaultdict(int)
        self._evaluated: dict[Hashable, list[tuple[int, float, float]]] = {}  # children that were not reported yet

    @property
    def population(self) -> Population:
        """The batch that was evaluated last.

        Raises
        ------
        PluginError
            Nothing was evaluated yet.
        """
        if self._population is None:
            raise PluginError("asks for the population before a genome was evaluated")
        return self._population

    def parent_fitness(self, digests: Iterable[bytes]) -> Array:
        """Return the fitness of genomes, or of their parents if they are not evaluated themselves. NaN: unknown."""
        return np.fromiter(map(self._find, digests), np.float64)

    def offspring(self, maker: Hashable) -> Offspring:
        """Return the children of an operator that were evaluated since the last call."""
        rows = self._evaluated.pop(maker, [])
        numbers, fitness, parents = zip(*rows, strict=True) if rows else ((), (), ())
        return Offspring(np.array(numbers, np.int64), np.array(fitness, float), np.array(parents, float))

    def record(
        self, maker: Hashable, parents: Sequence[Digests], children: Sequence[Digests], *, nested: bool = False
    ) -> None:
        """Record one or two batches of children, made of as many batches of parents.

        ``nested``: another operator called the maker, and will record its own children.
        """
        fittest = np.fmax.reduce([self.parent_fitness(each) for each in parents]).tolist()
        made = [
            (parent, child, fitness)
            for before, after in zip(parents, children, strict=True)
            for parent, child, fitness in zip(before, after, fittest, strict=True)
        ]
        # A child may equal another parent, so the credits of all parents are taken before new ones are given.
        earlier = [() if nested else _pop(self._credits, parent) for parent, *_ in made]
        for (_, child, fitness), inherited in zip(made, earlier, strict=True):
            credit = _Credit(maker, self._made[maker], fitness)
            self._made[maker] += 1
            self._parents[child] = float(np.fmax(fitness, self._parents.get(child, fitness)))  # of equal children
            every = (*inherited, *_pop(self._inner, child), credit)
            (self._inner if nested else self._credits).setdefault(child, deque()).append(every)
        if not nested:
            self._inner.clear()
        _forget(self._parents)
        _forget(self._credits)

    def evaluate(self, genomes: Batch, fitness: Array) -> None:
        """Record evaluated genomes with their fitness (n,)."""
        if fitness.ndim > 1:
            raise PluginError(f"operators that adapt need one objective, got a fitness {described(fitness)}")
        digests = digests_of(genomes)
        for digest, value in zip(digests, fitness.tolist(), strict=False):  # the budget may cut the last batch
            self._fitness.pop(digest, None)
            self._fitness[digest] = value
            for maker, number, parent in _pop(self._credits, digest):
                if not np.isnan(parent):
                    self._evaluated.setdefault(maker, []).append((number, value, parent))
        _forget(self._fitness)
        self._parents.clear()
        if self._take is not None:
            self._population = Population(self._take(genomes, np.arange(len(fitness))), fitness.copy())

    def _find(self, digest: bytes) -> float:
        fitness = self._fitness.pop(digest, None)
        if fitness is None:
            return self._parents.get(digest, float("nan"))
        self._fitness[digest] = fitness
        return fitness


def digests_of(genomes: Batch) -> list[bytes]:
    """Return a digest of the content of each genome."""
    if isinstance(genomes, np.ndarray):
        return row_digests(genomes.reshape(len(genomes), -1)) if len(genomes) else []
    return [xxhash.xxh3_128_digest(_as_bytes(genome)) for genome in genomes]


def _as_bytes(value: Any) -> bytes:
    """Return the content of an object. Equal values give equal bytes."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype.str}{value.shape}".encode() + value.tobytes()
    if isinstance(value, Mapping):
        return _joined(part for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return _joined(value)
    names = [*getattr(type(value), "__slots__", ()), *getattr(value, "__dict__", ())]
    if names:
        return _joined(getattr(value, name, None) for name in names)
    return repr(value).encode()


def _joined(parts: Iterable[Any]) -> bytes:
    contents = [_as_bytes(part) for part in parts]
    return b"".join(len(each).to_bytes(8, "little") + each for each in contents)


def _pop(credits: Credits, digest: bytes) -> tuple[_Credit, ...]:
    """Remove and return the credits of a genome. Equal genomes have credits of their own."""
    found = credits.get(digest)
    if found is None:
        return ()
    first = found.popleft()
    if not found:
        del credits[digest]
    return first


def _forget(table: dict[bytes, Any]) -> None:
    for key in list(itertools.islice(table, max(0, len(table) - MOST))):
        del table[key]
