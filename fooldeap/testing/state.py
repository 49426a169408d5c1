"""The contract of operators with state, and the simulated runs in which operators are tried."""

from typing import Any

import numpy as np

from fooldeap.engine.lineage import Lineage
from fooldeap.plugin import OPERATORS, Array, Batch
from fooldeap.testing.batches import copy, identical, rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import Case, Subject

GENERATIONS, SIZE = 6, 7


class SimulatedRun:
    """A run of a single operator, without a classifier: the fitness is the mean brightness of the image."""

    def __init__(self, subject: Subject, case: Case | None = None) -> None:
        self.kind, self.case = subject.plugin.kind, case or next(subject.cases(), None)
        self.wants_genomes = "genomes" in subject.plugin.feedback
        self.generation, self.results = 0, list[Any]()
        self.lineage = Lineage(self.case.genome.take if self.case is not None else None)
        self.operator = subject.operator(self, self.lineage)
        self._rng = rng(3)
        self._batches = [self.case.sample(SIZE, seed) for seed in (11, 12)] if self.case is not None else []

    def evaluate(self, genomes: Batch) -> Array:
        """Return the fitness of genomes, which are then known as evaluated."""
        assert self.case is not None
        fitness: Array = np.array([image.mean() for image in self.case.genome.decode(genomes)], np.float64)
        self.lineage.evaluate(genomes, fitness)
        return fitness

    def select(self, fitness: Array, count: int, stream: np.random.Generator) -> Any:
        """Call a selection, if needed with genomes in random order."""
        if not self.wants_genomes:
            return self.operator(fitness, count, stream)
        assert self.case is not None
        genomes = self.case.genome.take(self.case.sample(len(fitness)), stream.permutation(len(fitness)))
        return self.operator(fitness, count, stream, genomes=genomes)

    def advance(self) -> None:
        """Call the operator for one generation, and keep a copy of its result."""
        if self.kind == "selection":
            self.results.append(self.select(self._rng.random(SIZE), SIZE, self._rng))
        else:
            number = 1 if self.kind == "mutation" else 2
            for batch in self._batches:
                self.evaluate(batch)
            made = self.operator(*copy(self._batches[:number]), self._rng)
            self._batches = [made, *self._batches[1:]] if number == 1 else list(made)
            self.results.append(copy(made))
        self.generation += 1


@contract(*OPERATORS)
def _gives_each_run_its_own_state(subject: Subject) -> None:
    alone = SimulatedRun(subject)
    try:
        alone.advance()
    except (Exception, SystemExit):
        return  # the other contracts report an error of the first call
    with trying(f"in a run of {GENERATIONS} generations"):
        _advance(alone)
        again = SimulatedRun(subject)
        _advance(again)
        one, other = SimulatedRun(subject), SimulatedRun(subject)
        _advance(one, other)
    same = "draw from rng only, and keep state only in the fields of a dataclass, which __post_init__ sets"
    demand(identical(alone.results, again.results), f"it gives other results in a second run; {same}")
    kept = identical(alone.results, one.results) and identical(alone.results, other.results)
    demand(kept, f"two runs at the same time change each other's results; {same}")


def _advance(*runs: SimulatedRun) -> None:
    """Advance runs together to their end."""
    while any(run.generation < GENERATIONS for run in runs):
        for run in runs:
            run.advance()
