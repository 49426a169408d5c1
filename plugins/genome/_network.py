"""Compositional pattern-producing networks (CPPNs), and their evaluation at many pixels at once."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INPUTS = 4  # x, y, distance to the centre, bias
BATCH, BLOCK = 256, 512  # networks and pixels computed together; they fit about into the processor's cache


def sine(x: Floats) -> Floats:
    """Return sin(x)."""
    return np.sin(x, out=x)


def sigmoid(x: Floats) -> Floats:
    """Return 2 / (1 + exp(-x)) - 1, the logistic function from -1 to 1."""
    # tanh(x / 2) is the same function and does not overflow.
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
    """A feed-forward network. Nodes are in the order of computation, and links lead to later nodes.

    Nodes are numbered from 0: the inputs x, y, distance and bias come first, then the nodes of ``functions``. The last
    ``outputs`` nodes are the outputs.

    Attributes
    ----------
    functions : int64 (nodes,), indices into `FUNCTIONS`
    sources, targets : int64 (links,), all links different, sources[i] < targets[i]
    weights : float32 (links,)
    outputs : number of outputs; no link leads from an output
    """

    functions: NDArray[np.int64]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: Floats
    outputs: int

    @property
    def hidden(self) -> int:
        """The number of nodes that are neither inputs nor outputs."""
        return len(self.functions) - self.outputs

    def copy(self) -> "Network":
        """Return an independent copy."""
        return Network(
            self.functions.copy(), self.sources.copy(), self.targets.copy(), self.weights.copy(), self.outputs
        )

    def with_node(self, link: int, function: int) -> "Network":
        """Return the network with a new node in the middle of a link (Stanley and Miikkulainen 2002).

        The link into the new node has weight 1. The link out of it has the weight of the replaced link.
        """
        source, target = self.sources[link], self.targets[link]
        new = min(target, INPUTS + self.hidden)  # before its target and before all outputs
        sources, targets = self._renumber(new, 1)
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
        sources, targets = self._renumber(node, -1)
        functions = self.functions[np.arange(len(self.functions)) != node - INPUTS]
        return Network(functions, sources[kept], targets[kept], self.weights[kept], self.outputs)

    def with_link(self, source: int, target: int, weight: float) -> "Network":
        """Return the network with an additional link."""
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

    def _renumber(self, first: int, by: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return sources and targets with the numbers of the nodes from ``first`` on increased by ``by``."""
        return self.sources + by * (self.sources >= first), self.targets + by * (self.targets >= first)


def compute_blocks(networks: Sequence[Network], places: Floats) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield the outputs of the networks at all places, in blocks: which networks, which places, and their outputs.

    ``places`` are the inputs, float32 (4, places). The outputs of a block are float32 (networks, outputs, places). Each
    row has the same bits whatever the other networks are.
    """
    for first in range(0, len(networks), BATCH):
        part = slice(first, first + BATCH)
        layout = _Layout(networks[part])
        for start in range(0, places.shape[1], BLOCK):
            block = slice(start, start + BLOCK)
            values = np.empty((layout.rows, places[:, block].shape[1]), np.float32)
            values[:INPUTS] = places[:, block]
            for level, links in zip(layout.levels, layout.links, strict=True):
                # Each row is summed link by link, independently of the other rows.
                values[level[0].start : level[-1].stop] = links @ values
                for group in level:
                    FUNCTIONS[group.function](values[group.start : group.stop])
            yield part, block, values[layout.outputs]


class _Group(NamedTuple):
    """Rows of nodes with the same level and function."""

    start: int
    stop: int
    function: int


class _Layout:
    """The nodes of several networks as rows of one table. The shared inputs come first.

    Rows are sorted by level and function. Nodes from which no path leads to an output are left out.

    Attributes
    ----------
    rows : number of rows
    levels : groups of rows by level; a level depends on the levels before it only
    links : for each level, the weights of the links into its rows, a sparse matrix (rows of the level, all rows)
    outputs : int64 (networks, outputs), the rows of the outputs
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        from scipy.sparse import csr_matrix

        owners = np.repeat(np.arange(len(networks)), [len(each.weights) for each in networks])
        sources = np.concatenate([each.sources for each in networks])
        targets = np.concatenate([each.targets for each in networks])
        weights = np.concatenate([each.weights for each in networks])
        sizes = np.array([len(each.functions) for each in networks])
        # Tables have the size of the largest network. Entries of nodes that a network does not have are ignored.
        nodes = INPUTS + int(sizes.max())
        linked = np.zeros((nodes, nodes, len(networks)), bool)
        linked[targets, sources, owners] = True
        outputs = INPUTS + sizes[:, None] + np.arange(-networks[0].outputs, 0)
        needed = _find_needed(linked, outputs)

        kinds = len(FUNCTIONS) * _find_levels(linked)[INPUTS:]
        kinds.T[np.arange(len(kinds)) < sizes[:, None]] += np.concatenate([each.functions for each in networks])
        node, owner = np.nonzero(needed[INPUTS:])
        kinds = kinds[node, owner]
        order = _stable_order(kinds)
        self.rows = INPUTS + len(order)
        rows = np.empty(linked.shape[1:], np.int64)
        rows[:INPUTS] = np.arange(INPUTS)[:, None]
        rows[INPUTS + node[order], owner[order]] = np.arange(INPUTS, self.rows)
        self.outputs = rows[outputs, np.arange(len(networks))[:, None]]
        self.levels = _group_by_level(kinds[order])

        kept = np.flatnonzero(needed[targets, owners])
        into = rows[targets[kept], owners[kept]]
        kept = kept[_stable_order(into)]
        starts = np.concatenate([[0], np.cumsum(np.bincount(into, minlength=self.rows))])
        links = csr_matrix((weights[kept], rows[sources[kept], owners[kept]], starts), shape=(self.rows, self.rows))
        self.links = [links[level[0].start : level[-1].stop] for level in self.levels]


def _find_levels(linked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the level of each node, int64 (node, network): the number of links on the longest path from an input.

    The level of an input is 0. That of any other node is at least 1. ``linked`` is bool (target, source, network).
    """
    levels = np.zeros(linked.shape[1:], np.int64)
    for node in range(INPUTS, len(linked)):
        levels[node] = (linked[node, :node] * levels[:node]).max(axis=0) + 1
    return levels


def _find_needed(linked: NDArray[np.bool_], outputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a path leads from each node to an output, bool (node, network)."""
    needed = np.zeros(linked.shape[1:], bool)
    needed[outputs, np.arange(len(outputs))[:, None]] = True
    for node in reversed(range(INPUTS, len(linked))):
        needed[:node] |= linked[node, :node] & needed[node]
    return needed


def _group_by_level(kinds: NDArray[np.int64]) -> list[list[_Group]]:
    """Group the rows, which are sorted by level and function, by both."""
    bounds = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    levels: dict[int, list[_Group]] = {}
    for start, stop in itertools.pairwise(bounds):
        level, function = divmod(int(kinds[start]), len(FUNCTIONS))
        levels.setdefault(level, []).append(_Group(INPUTS + start, INPUTS + stop, function))
    return list(levels.values())


def _stable_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices that sort numbers stably. Small dtypes are used, which numpy sorts ten times as fast."""
    return np.argsort(numbers.astype(np.min_scalar_type(numbers.max())), kind="stable")


@functools.cache
def input_grid(height: int, width: int, canvas: int | None = None) -> Floats:
    """Return the inputs at every pixel, float32 (4, height * width).

    x and y run from -1 to 1 along the longer side. The distance to the centre has the same unit. The bias is 1. With
    ``canvas``, the pixels are the centre of a square of ``canvas`` x ``canvas`` pixels.
    """
    if canvas is not None:
        top, left = (canvas - height) // 2, (canvas - width) // 2
        whole = input_grid(canvas, canvas).reshape(INPUTS, canvas, canvas)
        places = whole[:, top : top + height, left : left + width].reshape(INPUTS, -1)
    else:
        longer = max(height, width)
        y, x = np.mgrid[:height, :width]
        x, y = (2 * x + 1 - width) / longer, (2 * y + 1 - height) / longer
        places = np.stack([x, y, np.hypot(x, y), np.ones_like(x)]).reshape(INPUTS, -1).astype(np.float32)
    places.flags.writeable = False
    return places
