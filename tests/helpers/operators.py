"""Operators as tests want them: built by name with their defaults, and what they are given."""

import numpy as np

from fooldeap import registry
from fooldeap.plugin import Offspring

REGISTRY = registry.load()
LEVEL = 1e-4  # of goodness of fit; seeds are fixed, so tests fail when the operator is wrong, not by chance


def operator(kind, name, *given, **values):
    plugin = REGISTRY.get(kind, name)
    defaults = {key: parameter.default for key, parameter in plugin.parameters.items()}
    if name in ("mixed", "adaptive_mixed"):
        values.setdefault("of", ((operator("mutation", "invert"), 1.0), (operator("mutation", "block"), 3.0)))
    return plugin.build({**defaults, **values}, *given)


def without_feedback(kind, name, **values):
    """Return an operator as in the first generation of a run: nothing was evaluated, and all genomes are far apart."""
    call, feedback = operator(kind, name, **values), REGISTRY.get(kind, name).feedback
    if not feedback:
        return call
    none = Offspring(np.empty(0, np.int64), np.empty(0), np.empty(0))

    def called(first, *arguments):
        given = {"offspring": none, "genomes": 1e6 * np.arange(len(first))[:, None]}
        return call(first, *arguments, **{each: given[each] for each in feedback})

    return called


def noise(count, shape=(6, 5, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def rng(seed=1):
    return np.random.default_rng(seed)


def reals(count, value=0.0):
    return np.full((count, 2, 10, 10), value)
