"""Comparison of batches: equal bits, and shared memory of individuals."""

import itertools
import pickle
from typing import Any

import numpy as np

from fooldeap.plugin import Batch

_FIXED = (tuple, str, bytes, frozenset, int, float, complex, np.generic, type(None))  # immutable types


def rng(seed: int = 1) -> np.random.Generator:
    """Return a random generator."""
    return np.random.default_rng(seed)


def copy(batch: Batch) -> Batch:
    """Return a copy that shares no memory."""
    return pickle.loads(pickle.dumps(batch))


def identical(one: Any, other: Any) -> bool:
    """Return whether two values are bit-identical."""
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and not one.dtype.hasobject:
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, set | frozenset):
        return type(one) is type(other) and bool(one == other)
    return bool(pickle.dumps(one) == pickle.dumps(other))


def has_independent_rows(batch: Batch) -> bool:
    """Return whether each individual can be changed without a change to another."""
    if isinstance(batch, np.ndarray) and not batch.flags.writeable:
        return False
    return not any(_share_memory(one, other) for one, other in itertools.combinations(_individuals(batch), 2))


def are_independent(one: Batch, other: Batch) -> bool:
    """Return whether the individuals of a batch can be changed without a change to those of the other batch."""
    return not any(_share_memory(*pair) for pair in itertools.product(_individuals(one), _individuals(other)))


def _individuals(batch: Batch) -> list[list[Any]]:
    """Return the mutable parts of each individual."""
    rows = [batch[row : row + 1] for row in range(len(batch))] if isinstance(batch, np.ndarray) else batch
    return [_mutable_parts(row) for row in rows]


def _mutable_parts(individual: Any) -> list[Any]:
    """Return an individual and the arrays and containers inside it, at any depth, if they are mutable."""
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


def _share_memory(one: list[Any], other: list[Any]) -> bool:
    if {id(part) for part in one} & {id(part) for part in other}:
        return True
    arrays = ([part for part in parts if isinstance(part, np.ndarray)] for parts in (one, other))
    return any(np.shares_memory(a, b) for a, b in itertools.product(*arrays))
