"""What a contract is: a promise that a plugin is held to, and what it is tried on."""

import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fooldeap import config
from fooldeap.choices import Choice
from fooldeap.errors import InputError
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Batch, Plugin
from fooldeap.registry import Registry

SHAPES = ((6, 5, 1), (5, 7, 3))  # of the images on which plugins are tried
SIZES = (7, 1, 0)  # of batches


class Broken(AssertionError):
    """A contract does not hold; the message is a sentence about the plugin."""


@dataclass(frozen=True)
class Contract:
    """One promise of one plugin: call it, and it raises `Broken` where the promise is not kept."""

    name: str
    check: Callable[["Subject"], None]
    subject: "Subject" = field(repr=False)

    def __call__(self) -> None:
        """Raise `Broken` where the promise is not kept."""
        before = _global_randomness()
        fault: Exception | None = None
        try:
            self.check(self.subject)
        except Exception as error:
            fault = error
        if _global_randomness() != before:
            raise Broken("it draws from global randomness (random or numpy.random); draw from rng alone") from fault
        if fault is not None and not isinstance(fault, Broken):
            raise Broken(f"it raised {type(fault).__name__}: {fault}") from fault
        if fault is not None:
            raise fault

    def __str__(self) -> str:
        return self.name


class Subject:
    """A plugin under test, with its parameters, and what it is tried on."""

    def __init__(self, plugin: Plugin, values: Mapping[str, Any], known: Registry) -> None:
        missing = [name for name, each in plugin.parameters.items() if each.default is REQUIRED and name not in values]
        if missing:
            raise InputError(f"{plugin}: {missing[0]!r} has no default; say contracts(plugin, {missing[0]}=...)")
        defaults = {name: each.default for name, each in plugin.parameters.items()}
        self.plugin, self.known = plugin, known
        self.choice = Choice(plugin, {**defaults, **values})

    def build(self, *given: Any) -> Any:
        """Return the plugin ready for calls."""
        return self.choice.build(*given)

    def genomes(self) -> Iterator[Any]:
        """Yield the genomes on which an operator is tried, one for each shape of images."""
        fitting = (each for each in self.known.all("genome") if config.fits(self.plugin, each))
        first = next(fitting, None)
        if first is None:
            named = self.plugin.options.get("genome")
            raise Broken(f"it works on the genome {named!r}, which no plugin has")
        for shape in SHAPES:
            yield self.build(shape) if self.plugin.kind == "genome" else first.build({}, shape)


CONTRACTS: list[tuple[tuple[str, ...], str, Callable[[Subject], None]]] = []


def contract(*kinds: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Return a decorator that makes a check a contract of some kinds of plugins, of all where none is named."""

    def add(check: Callable[[Subject], None]) -> Callable[[Subject], None]:
        CONTRACTS.append((kinds, check.__name__.strip("_").replace("_", " "), check))
        return check

    return add


def demand(kept: Any, sentence: str) -> None:
    """Raise `Broken` with a sentence where a promise is not kept."""
    if not kept:
        raise Broken(sentence)


def _global_randomness() -> tuple[object, bytes]:
    return random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002 - this is what it is about


def rng(seed: int = 1) -> np.random.Generator:
    """Return a random stream."""
    return np.random.default_rng(seed)


def copy(batch: Batch) -> Batch:
    """Return a copy that shares nothing."""
    return pickle.loads(pickle.dumps(batch))


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same to the bit."""
    return bool(pickle.dumps(one) == pickle.dumps(other))


def own_rows(batch: Batch) -> bool:
    """Tell whether a row can be written without another changing."""
    if isinstance(batch, list):
        return len({id(row) for row in batch}) == len(batch)
    if not batch.flags.writeable:
        return False
    kept = batch.copy()
    batch[0] = batch[0] ^ 1 if batch.dtype.kind in "iub" else batch[0] + 1
    alone = np.array_equal(batch[1:], kept[1:])
    batch[0] = kept[0]
    return bool(alone)
