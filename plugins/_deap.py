"""What the plugins share that hand their work to DEAP: seeded randomness, and algorithms that run inside the engine."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fooldeap.plugin import Evolution, Reply, Rng, Toolbox


class Randomness:
    """A state of the global generators, random and numpy.random, apart from everybody else's."""

    def __init__(self, rng: Rng) -> None:
        seed, other = rng.integers(0, 2**32, 2, dtype=np.uint64).tolist()
        self._random = random.Random(seed).getstate()
        self._numpy = np.random.RandomState(other).get_state()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Put the state in place within a ``with`` block, and what was there before back after it."""
        before = random.getstate(), np.random.get_state()  # noqa: NPY002 - DEAP draws from there
        random.setstate(self._random)
        np.random.set_state(self._numpy)  # noqa: NPY002
        try:
            yield
        finally:
            self._random, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002


def inside(toolbox: Toolbox, rng: Rng, algorithm: Callable[[Toolbox], Any]) -> Evolution:
    """Run one of DEAP's algorithms, unmodified, as a generator that yields what it wants evaluated.

    It runs in a greenlet of its own, which is left wherever it calls ``toolbox.map(toolbox.evaluate, ...)``, and
    entered again with the answer.
    """
    from greenlet import GreenletExit, getcurrent, greenlet

    from fooldeap.individuals import individual_view

    engine, randomness = getcurrent(), Randomness(rng)

    def evaluate(genomes: Any) -> Any:
        reply: Reply = greenlet.getcurrent().parent.switch(genomes)
        return reply.fitness

    within = greenlet(lambda: algorithm(individual_view(toolbox, evaluate)), engine)
    try:
        with randomness():
            asked = within.switch()
        while not within.dead:
            reply = yield asked
            within.parent = getcurrent()
            with randomness():
                asked = within.switch(reply)
    finally:
        if not within.dead:
            within.parent = getcurrent()
            within.throw(GreenletExit)
