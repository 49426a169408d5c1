"""Compositional pattern-producing networks: what one is, and many of them at every pixel at once."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import InputError

Floats = NDArray[np.float32]

INPUTS = 4  # x, y, distance to the centre, bias
TOGETHER = 256  # networks whose nodes are computed in one go: their values should fit into the processor's cache


def sine(x: Floats) -> Floats:
    """Return sin(x)."""
    return np.sin(x, out=x)


def sigmoid(x: Floats) -> Floats:
    """Return 2 / (1 + exp(-x)) - 1, the logistic function from -1 to 1."""
    # tanh is the same function, and does not overflow.
    return np.tanh(np.multiply(x, np.float32(0.5), out=x), out=x)


def gaussian(x: Floats) -> Floats:
    """Return 2 exp(-x^2) - 1."""
    np.exp(np.negative(np.square(x, out=x), out=x), out=x)
    return np.subtract(np.multiply(x, np.float32(2), out=x), np.float32(1), out=x)


def linear(x: Floats) -> Floats:
    """Return x, clipped to -1 ... 1."""
    return np.clip(x, np.float32(-1), np.float32(1), out=x)


FUNCTIONS: tuple[Callable[[Floats], Floats], ...] = (sine, sigmoid, gaussian, linear)


@dataclass(frozen=True)
class Network:
    """A feed-forward network: nodes in the order in which they can be computed, and links that lead forward.

    Nodes are counted from the inputs x, y, distance and bias through those of ``functions``, of which the last
    ``outputs`` are what it gives.

    Attributes
    ----------
    functions : int64 (nodes,), indices into `FUNCTIONS`
    sources, targets : int64 (links,), no two links alike, sources[i] < targets[i]
    weights : float32 (links,)
    outputs : how many; no link leads from one
    """

    functions: NDArray[np.int64]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: Floats
    outputs: int

    @property
    def hidden(self) -> int:
        """How many nodes are neither inputs nor outputs."""
        return len(self.functions) - self.outputs

    def copy(self) -> "Network":
        """Return a network that shares nothing with this one."""
        return Network(
            self.functions.copy(), self.sources.copy(), self.targets.copy(), self.weights.copy(), self.outputs
        )

    def with_node(self, link: int, function: int) -> "Network":
        """Return the network with a node in the middle of a link (Stanley and Miikkulainen 2002).

        The link into the new node has weight 1, that out of it the weight of the link before.
        """
        source, target = self.sources[link], self.targets[link]
        new = min(target, INPUTS + self.hidden)  # before its target, and before all outputs
        sources, targets = self._renumbered(new, 1)
        return replace(
            self,
            functions=np.concatenate([self.functions[: new - INPUTS], [function], self.functions[new - INPUTS :]]),
            sources=np.concatenate([sources[:link], sources[link + 1 :], [source, new]]),
            targets=np.concatenate([targets[:link], targets[link + 1 :], [new, target + 1]]),
            weights=np.concatenate(
                [self.weights[:link], self.weights[link + 1 :], np.array([1, self.weights[link]], np.float32)]
            ),
        )

    def without_node(self, node: int) -> "Network":
        """Return the network without a node and its links."""
        kept = (self.sources != node) & (self.targets != node)
        sources, targets = self._renumbered(node, -1)
        functions = self.functions[np.arange(len(self.functions)) != node - INPUTS]
        return Network(functions, sources[kept], targets[kept], self.weights[kept], self.outputs)

    def with_link(self, source: int, target: int, weight: float) -> "Network":
        """Return the network with one link more."""
        return replace(
            self,
            sources=np.concatenate([self.sources, [source]]),
            targets=np.concatenate([self.targets, [target]]),
            weights=np.concatenate([self.weights, np.array([weight], np.float32)]),
        )

    def without_link(self, link: int) -> "Network":
        """Return the network without a link."""
        kept = np.arange(len(self.weights)) != link
        return replace(self, sources=self.sources[kept], targets=self.targets[kept], weights=self.weights[kept])

    def _renumbered(self, first: int, by: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ends of links where nodes from ``first`` on have numbers that are higher ``by`` so much."""
        return self.sources + by * (self.sources >= first), self.targets + by * (self.targets >= first)


def outputs_of(networks: Sequence[Network], places: Floats) -> Floats:
    """Return what each network gives at each place, float32 (n, outputs, places); n at least 1.

    ``places`` are the inputs, float32 (4, places). A row of the result depends on its network alone, to the bit.
    """
    parts = [networks[start : start + TOGETHER] for start in range(0, len(networks), TOGETHER)]
    return np.concatenate([_computed(part, places) for part in parts])


def _computed(networks: Sequence[Network], places: Floats) -> Floats:
    from scipy.sparse import csr_matrix

    layout = _Layout(networks)
    values = np.empty((len(layout.functions), places.shape[1]), np.float32)
    values[:INPUTS] = places
    for first, last in layout.levels:
        begin, end = layout.starts[first], layout.starts[last]
        links = (layout.weights[begin:end], layout.sources[begin:end], layout.starts[first : last + 1] - begin)
        # Each row is added up link by link, whatever the others are.
        values[first:last] = csr_matrix(links, shape=(last - first, len(values))) @ values
        for start, stop in itertools.pairwise(bound for bound in layout.bounds if first <= bound <= last):
            FUNCTIONS[layout.functions[start]](values[start:stop])
    return values[layout.outputs]


class _Layout:
    """The nodes of several networks in one table, by level and function; their inputs, which all share, come first.

    Nodes from which no way leads to an output are left out.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        sizes = np.array([len(each.functions) for each in networks])
        ends = INPUTS + np.cumsum(sizes)
        offsets = np.repeat(ends - sizes - INPUTS, [len(each.weights) for each in networks])
        sources = np.concatenate([each.sources for each in networks])
        sources += np.where(sources < INPUTS, 0, offsets)
        targets = np.concatenate([each.targets for each in networks]) + offsets
        outputs = ends[:, None] - networks[0].outputs + np.arange(networks[0].outputs)

        needed, levels = _needed(sources, targets, outputs), _levels(sources, targets, ends[-1])
        functions = np.concatenate([np.zeros(INPUTS, np.int64), *(each.functions for each in networks)])
        order = np.lexsort((functions, levels))
        order = order[needed[order] | (levels[order] == 0)]
        places = np.empty(len(levels), np.int64)
        places[order] = np.arange(len(order))
        self.functions, self.outputs = functions[order], places[outputs]
        self.levels = list(itertools.pairwise(_bounds(levels[order])[1:]))
        self.bounds = _bounds(levels[order] * len(FUNCTIONS) + self.functions)  # of nodes alike in level and function

        links = np.flatnonzero(needed[targets])
        links = links[np.argsort(places[targets[links]], kind="stable")]
        self.sources = places[sources[links]].astype(np.int32)
        self.weights = np.concatenate([each.weights for each in networks])[links]
        counts = np.bincount(places[targets[links]], minlength=len(order))
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _bounds(ascending: NDArray[np.int64]) -> list[int]:
    """Return where stretches of equal numbers begin, and where the last one ends."""
    return [0, *(np.flatnonzero(np.diff(ascending)) + 1).tolist(), len(ascending)]


def _levels(sources: NDArray[np.int64], targets: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return how many links the longest way from an input to each node has; at least 1, but for the inputs."""
    levels = np.minimum(np.arange(count) // INPUTS, 1)
    while True:
        before = levels.copy()
        np.maximum.at(levels, targets, before[sources] + 1)
        if np.array_equal(levels, before):
            return levels


def _needed(sources: NDArray[np.int64], targets: NDArray[np.int64], outputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a way leads from each node to an output."""
    needed = np.zeros(outputs.max() + 1, bool)
    needed[outputs] = True
    while True:
        found = sources[needed[targets]]
        if needed[found].all():
            return needed
        needed[found] = True


@functools.cache
def places_of(height: int, width: int) -> Floats:
    """Return the inputs at every pixel, float32 (4, height * width).

    x and y run from -1 to 1 along the longer side, the distance to the centre is in the same units, the bias is 1.
    """
    longer = max(height, width)
    y, x = np.mgrid[:height, :width]
    x, y = (2 * x + 1 - width) / longer, (2 * y + 1 - height) / longer
    places = np.stack([x, y, np.hypot(x, y), np.ones_like(x)]).reshape(INPUTS, -1).astype(np.float32)
    places.flags.writeable = False
    return places


def check(networks: Any) -> None:
    """Refuse what is no list of networks."""
    if not isinstance(networks, list) or not all(isinstance(each, Network) for each in networks):
        raise InputError("expected a list of networks, as the genome 'cppn' samples them")
