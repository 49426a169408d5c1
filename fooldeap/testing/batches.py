"""Batches to compare: their bits, and the memory that their individuals are in."""

import itertools
import pickle
from typing import Any

import numpy as np

from fooldeap.plugin import Batch

_FIXED = (tuple, str, bytes, frozenset, int, float, complex, np.generic, type(None))  # nobody can edit these


def rng(seed: int = 1) -> np.random.Generator:
    """Return a random stream."""
    return np.random.default_rng(seed)


def copy(batch: Batch) -> Batch:
    """Return a copy that shares nothing."""
    return pickle.loads(pickle.dumps(batch))


def identical(one: Any, other: Any) -> bool:
    """Tell whether two values are the same to the bit."""
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and not one.dtype.hasobject:
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, set | frozenset):
        return type(one) is type(other) and bool(one == other)
    return bool(pickle.dumps(one) == pickle.dumps(other))


def own_rows(batch: Batch) -> bool:
    """Tell whether each individual can be edited, and without another changing."""
    if isinstance(batch, np.ndarray) and not batch.flags.writeable:
        return False
    return not any(_share(one, other) for one, other in itertools.combinations(_individuals(batch), 2))


def apart(one: Batch, other: Batch) -> bool:
    """Tell whether the individuals of two batches can be edited without one of the other batch changing."""
    return not any(_share(*pair) for pair in itertools.product(_individuals(one), _individuals(other)))


def _individuals(batch: Batch) -> list[list[Any]]:
    """Return the parts of each individual."""
    rows = [batch[row : row + 1] for row in range(len(batch))] if isinstance(batch, np.ndarray) else batch
    return [_parts(row) for row in rows]


def _parts(individual: Any) -> list[Any]:
    """Return what can be edited in an individual: itself, and the arrays and containers in it, however deep."""
    found = [] if isinstance(individual, _FIXED) else [individual]
    waiting, seen = [individual, *getattr(individual, "__dict__", {}).values()], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not isinstance(part, np.ndarray | list | dict | set | bytearray | tuple):
            continue
        seen.add(id(part))
        if not isinstance(part, tuple):
            found.append(part)
        if isinstance(part, list | tuple | dict):
            waiting.extend(part.values() if isinstance(part, dict) else part)
    return found


def _share(one: list[Any], other: list[Any]) -> bool:
    if {id(part) for part in one} & {id(part) for part in other}:
        return True
    arrays = ([part for part in parts if isinstance(part, np.ndarray)] for parts in (one, other))
    return any(np.shares_memory(a, b) for a, b in itertools.product(*arrays))
