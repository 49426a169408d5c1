"""What the plugins share that hand their work to DEAP."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fooldeap.plugin import InputError, Rng


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


def parameters(operator: str, usual: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return what an operator is called with: what is ``given`` (not None), else what is ``usual``, which names all."""
    chosen = {name: value for name, value in given.items() if value is not None}
    foreign = [name for name in chosen if name not in usual]
    if foreign:
        known = ", ".join(usual) or "none"
        raise InputError(f"{foreign[0]}: {operator} has no such parameter; remove it (those it has: {known})")
    return {**usual, **chosen}
