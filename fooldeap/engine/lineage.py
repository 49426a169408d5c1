"""Follows the genomes of a run from parents to children, for operators that ask for feedback.

Genomes are recognised by their content. So all algorithms are followed without changes, including DEAP's own.
"""

import itertools
import math
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import xxhash

from fooldeap.contract_checks import described
from fooldeap.engine.evaluation import row_digests
from fooldeap.errors import PluginError
from fooldeap.plugin import FITNESS_FEEDBACK, Array, Batch, Offspring, Population

MOST = 1 << 16  # genomes; those that were not used for the longest time are forgotten


Digests = Sequence[bytes]
Credit = tuple[Hashable, int, float]  # the operator that made a child, the child's number, its parents' fitness
Credits = dict[bytes, deque[tuple[Credit, ...]]]


class Lineage:
    """The evaluated genomes of a run, and the children that were made of them.

    Parameters
    ----------
    take : returns copies of genomes at indices; needed for the population
    wanted : the kinds of feedback that operators ask for; what none of them needs is not followed

    Attributes
    ----------
    follows : whether operators must record the children that they make
    """

    def __init__(
        self, take: Callable[[Batch, Array], Batch] | None = None, wanted: Set[str] = FITNESS_FEEDBACK
    ) -> None:
        self._take = take if "population" in wanted else None
        self._gives_offspring = "offspring" in wanted
        self.follows = self._gives_offspring or "parent_fitness" in wanted
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
        self, maker: Hashable | None, parents: Sequence[Digests], children: Sequence[Digests], *, nested: bool = False
    ) -> None:
        """Record one or two batches of children, made of as many batches of parents.

        ``maker`` will ask for its offspring; None: no operator will. ``nested``: another operator called the maker, and
        will record its own children.
        """
        each, *others = map(self.parent_fitness, parents)
        fitness = np.fmax(each, others[0]).tolist() if others else each.tolist()
        made = [pair for after in children for pair in zip(after, fitness, strict=True)]
        known = self._parents
        for child, fittest in made:
            if fittest > known.get(child, -math.inf):  # equal children have the fittest of their parents; NaN: unknown
                known[child] = fittest
        _forget(known)
        if self._gives_offspring:
            self._credit(maker, [parent for before in parents for parent in before], made, nested=nested)

    def _credit(
        self, maker: Hashable | None, parents: Digests, made: Iterable[tuple[bytes, float]], *, nested: bool
    ) -> None:
        """Give children the credits of their parents, and one for their maker."""
        # A child may equal another parent, so the credits of all parents are taken before new ones are given.
        earlier = [() if nested else _pop(self._credits, parent) for parent in parents]
        given = self._inner if nested else self._credits
        for (child, fitness), inherited in zip(made, earlier, strict=True):
            credits = (*inherited, *_pop(self._inner, child))
            if maker is not None:
                credits = (*credits, (maker, self._made[maker], fitness))
                self._made[maker] += 1
            given.setdefault(child, deque()).append(credits)
        if not nested:
            self._inner.clear()
        _forget(self._credits)

    def evaluate(self, genomes: Batch, fitness: Array) -> None:
        """Record evaluated genomes with their fitness (n,)."""
        if fitness.ndim > 1:
            raise PluginError(f"operators that adapt need one objective, got a fitness {described(fitness)}")
        for digest, value in zip(digests_of(genomes), fitness.tolist(), strict=False):  # the budget may cut the batch
            self._fitness.pop(digest, None)
            self._fitness[digest] = value
            for maker, number, parent in _pop(self._credits, digest):
                if not math.isnan(parent):
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


def _pop(credits: Credits, digest: bytes) -> tuple[Credit, ...]:
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
