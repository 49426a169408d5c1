"""Compositional pattern-producing networks: what one is, and many of them at every pixel at once."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INPUTS = 4  # x, y, distance to the centre, bias
TOGETHER, BLOCK = 256, 512  # networks and places computed in one go: as much as the processor's cache holds, about


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


@dataclass(slots=True, eq=False)
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
        weights = np.array([1, self.weights[link]], np.float32)
        return Network(
            np.concatenate([self.functions[: new - INPUTS], [function], self.functions[new - INPUTS :]]),
            np.concatenate([sources[:link], sources[link + 1 :], [source, new]]),
            np.concatenate([targets[:link], targets[link + 1 :], [new, target + 1]]),
            np.concatenate([self.weights[:link], self.weights[link + 1 :], weights]),
            self.outputs,
        )

    def without_node(self, node: int) -> "Network":
        """Return the network without a node and its links."""
        kept = (self.sources != node) & (self.targets != node)
        sources, targets = self._renumbered(node, -1)
        functions = self.functions[np.arange(len(self.functions)) != node - INPUTS]
        return Network(functions, sources[kept], targets[kept], self.weights[kept], self.outputs)

    def with_link(self, source: int, target: int, weight: float) -> "Network":
        """Return the network with one link more."""
        return Network(
            self.functions,
            np.concatenate([self.sources, [source]]),
            np.concatenate([self.targets, [target]]),
            np.concatenate([self.weights, np.array([weight], np.float32)]),
            self.outputs,
        )

    def without_link(self, link: int) -> "Network":
        """Return the network without a link."""
        kept = np.arange(len(self.weights)) != link
        return Network(self.functions, self.sources[kept], self.targets[kept], self.weights[kept], self.outputs)

    def _renumbered(self, first: int, by: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ends of links where nodes from ``first`` on have numbers that are higher ``by`` so much."""
        return self.sources + by * (self.sources >= first), self.targets + by * (self.targets >= first)


def outputs_of(networks: Sequence[Network], places: Floats) -> Floats:
    """Return what each network gives at each place, float32 (n, outputs, places); n at least 1.

    ``places`` are the inputs, float32 (4, places). A row of the result depends on its network alone, to the bit.
    """
    found = np.empty((len(networks), networks[0].outputs, places.shape[1]), np.float32)
    for start in range(0, len(networks), TOGETHER):
        part = slice(start, start + TOGETHER)
        _compute(networks[part], places, found[part])
    return found


def _compute(networks: Sequence[Network], places: Floats, found: Floats) -> None:
    """Write what each network gives at each place into ``found``."""
    layout = _Layout(networks)
    for start in range(0, places.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        values = np.empty((layout.rows, places[:, block].shape[1]), np.float32)
        values[:INPUTS] = places[:, block]
        for level, links in zip(layout.levels, layout.links, strict=True):
            # Each row is added up link by link, whatever the others are.
            values[level[0].start : level[-1].stop] = links @ values
            for alike in level:
                FUNCTIONS[alike.function](values[alike.start : alike.stop])
        found[..., block] = values[layout.outputs]


class _Alike(NamedTuple):
    """Rows of nodes that are of the same level and function."""

    start: int
    stop: int
    function: int


class _Layout:
    """The nodes of several networks as the rows of one table, by level and function; their inputs, shared, come first.

    Nodes from which no way leads to an output are left out.

    Attributes
    ----------
    rows : how many there are
    levels : those of a level need nothing but those of the levels before
    links : for each level the weights of the links into its rows, a sparse matrix (rows of the level, all rows)
    outputs : int64 (networks, outputs), the rows of the outputs
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        from scipy.sparse import csr_matrix

        owners = np.repeat(np.arange(len(networks)), [len(each.weights) for each in networks])
        sources = np.concatenate([each.sources for each in networks])
        targets = np.concatenate([each.targets for each in networks])
        weights = np.concatenate([each.weights for each in networks])
        sizes = np.array([len(each.functions) for each in networks])
        # Tables have a place for as many nodes as the largest network has; what stands at those that another has not
        # is of no account.
        nodes = INPUTS + int(sizes.max())
        linked = np.zeros((nodes, nodes, len(networks)), bool)
        linked[targets, sources, owners] = True
        outputs = INPUTS + sizes[:, None] + np.arange(-networks[0].outputs, 0)
        needed = _needed(linked, outputs)

        kinds = len(FUNCTIONS) * _levels(linked)[INPUTS:]
        kinds.T[np.arange(len(kinds)) < sizes[:, None]] += np.concatenate([each.functions for each in networks])
        node, owner = np.nonzero(needed[INPUTS:])
        kinds = kinds[node, owner]
        order = _stable_order(kinds)
        self.rows = INPUTS + len(order)
        rows = np.empty(linked.shape[1:], np.int64)
        rows[:INPUTS] = np.arange(INPUTS)[:, None]
        rows[INPUTS + node[order], owner[order]] = np.arange(INPUTS, self.rows)
        self.outputs = rows[outputs, np.arange(len(networks))[:, None]]
        self.levels = _by_level(kinds[order])

        kept = np.flatnonzero(needed[targets, owners])
        into = rows[targets[kept], owners[kept]]
        kept = kept[_stable_order(into)]
        starts = np.concatenate([[0], np.cumsum(np.bincount(into, minlength=self.rows))])
        links = csr_matrix((weights[kept], rows[sources[kept], owners[kept]], starts), shape=(self.rows, self.rows))
        self.links = [links[level[0].start : level[-1].stop] for level in self.levels]


def _levels(linked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many links the longest way from an input to each node has; at least 1, but for the inputs.

    ``linked`` are the links, bool (target, source, network); what is returned is (node, network).
    """
    levels = np.zeros(linked.shape[1:], np.int64)
    for node in range(INPUTS, len(linked)):
        levels[node] = (linked[node, :node] * levels[:node]).max(axis=0) + 1
    return levels


def _needed(linked: NDArray[np.bool_], outputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a way leads from each node to an output, bool (node, network)."""
    needed = np.zeros(linked.shape[1:], bool)
    needed[outputs, np.arange(len(outputs))[:, None]] = True
    for node in reversed(range(INPUTS, len(linked))):
        needed[:node] |= linked[node, :node] & needed[node]
    return needed


def _by_level(kinds: NDArray[np.int64]) -> list[list[_Alike]]:
    """Return the rows, which are in ascending order of level and function, of each level and function."""
    bounds = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    levels: dict[int, list[_Alike]] = {}
    for start, stop in itertools.pairwise(bounds):
        level, function = divmod(int(kinds[start]), len(FUNCTIONS))
        levels.setdefault(level, []).append(_Alike(INPUTS + start, INPUTS + stop, function))
    return list(levels.values())


def _stable_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the lowest is, and so on, of equals the first; in 16 bits, where numpy is ten times as fast."""
    return np.argsort(numbers.astype(np.min_scalar_type(numbers.max())), kind="stable")


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
