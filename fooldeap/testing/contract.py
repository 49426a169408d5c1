"""Contracts: rules that every plugin of a kind must keep."""

import contextlib
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fooldeap import randomness
from fooldeap.testing.demands import ContractViolation, trying
from fooldeap.testing.subject import Subject

Check = Callable[[Subject], None]

CONTRACTS: list[tuple[tuple[str, ...], str, Check]] = []  # kinds (empty: all), name, check

_SEEDED = (
    "genome",
    "fitness",
    "mutation",
    "crossover",
    "selection",
    "algorithm",
)  # they decide the bits of a run


@dataclass(frozen=True)
class Contract:
    """One contract of one plugin; a call checks it."""

    name: str
    check: Check
    subject: Subject = field(repr=False)

    def __call__(self) -> None:
        """Raise `ContractViolation` if the plugin breaks the contract."""
        seeded = self.subject.plugin.kind in _SEEDED
        with randomness.LOCK if seeded else contextlib.nullcontext():  # otherwise other threads may draw in between
            self._check(seeded=seeded)

    def _check(self, *, seeded: bool) -> None:
        before = _global_randomness()
        fault: ContractViolation | None = None
        try:
            with trying():
                self.check(self.subject)
        except ContractViolation as error:
            fault = error
        if seeded and _global_randomness() != before:
            raise ContractViolation("it uses global randomness (random or numpy.random); draw from rng only") from fault
        if fault is not None:
            raise fault

    def __str__(self) -> str:
        return self.name


def contract(*kinds: str) -> Callable[[Check], Check]:
    """Return a decorator that registers a check as a contract of these kinds of plugins; without kinds, of all."""

    def add(check: Check) -> Check:
        CONTRACTS.append((kinds, check.__name__.strip("_").replace("_", " "), check))
        return check

    return add


def _global_randomness() -> tuple[object, bytes]:
    return random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002 - this is the state to compare
