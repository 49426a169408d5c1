"""Mutation of compositional pattern-producing networks."""

import itertools

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, mutation

from ..genome._network import FUNCTIONS, INPUTS, Network

MOST_NODES = 100  # hidden ones, so that a population cannot outgrow the memory


@mutation("cppn", genome="cppn")
def cppn(
    networks: list[Network],
    rng: Rng,
    *,
    add_node: Annotated[float, Ge(0), Le(1)] = 0.1,
    delete_node: Annotated[float, Ge(0), Le(1)] = 0.05,
    add_link: Annotated[float, Ge(0), Le(1)] = 0.1,
    delete_link: Annotated[float, Ge(0), Le(1)] = 0.05,
    function_rate: Annotated[float, Ge(0), Le(1)] = 0.05,
    weight_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    sigma: Annotated[float, Gt(0)] = 0.5,
) -> list[Network]:
    """Change weights, functions and the topology of each network.

    With probability ``add_node`` a link gets a node in its middle, with ``delete_node`` a hidden node and its links go;
    with ``add_link`` two nodes that were not are linked, by a normal weight, with ``delete_link`` a link goes
    (Stanley and Miikkulainen 2002). Then each node gets another function with probability ``function_rate``, and each
    weight a normal step of standard deviation ``sigma`` with probability ``weight_rate``.
    """
    rates = np.array([add_node, delete_node, add_link, delete_link])
    for index, change in np.argwhere(rng.random((len(networks), 4)) < rates).tolist():
        networks[index] = _CHANGES[change](networks[index], rng)
    if networks:
        functions = _Joined([network.functions for network in networks])
        weights = _Joined([network.weights for network in networks])
        turned = rng.random(len(functions.values)) < function_rate
        moved = rng.random(len(weights.values)) < weight_rate
        others, steps = list[int](), list[Array]()
        for turns, moves in zip(functions.counts(turned), weights.counts(moved), strict=True):
            others += [int(rng.integers(len(FUNCTIONS))) for _ in range(turns)]
            steps.append(rng.standard_normal(moves, np.float32))
        functions.values[turned] = others
        weights.values[moved] += sigma * np.concatenate(steps)
        functions.write_back()
        weights.write_back()
    return networks


class _Joined:
    """The values of several arrays in one, which is faster to work on than one after the other."""

    def __init__(self, arrays: list[Array]) -> None:
        self._arrays, self.values = arrays, np.concatenate(arrays)
        self._bounds = np.cumsum([0, *map(len, arrays)])

    def counts(self, chosen: Array) -> list[int]:
        """Return how many of each array's values are chosen; ``chosen`` says it of ``values``."""
        before = np.concatenate([[0], np.cumsum(chosen)])
        counts: list[int] = np.diff(before[self._bounds]).tolist()
        return counts

    def write_back(self) -> None:
        """Give the arrays their values."""
        for array, (start, stop) in zip(self._arrays, itertools.pairwise(self._bounds.tolist()), strict=True):
            array[:] = self.values[start:stop]


def _node_added(network: Network, rng: Rng) -> Network:
    if network.hidden >= MOST_NODES or not len(network.weights):
        return network
    return network.with_node(int(rng.integers(len(network.weights))), int(rng.integers(len(FUNCTIONS))))


def _node_deleted(network: Network, rng: Rng) -> Network:
    return network.without_node(INPUTS + int(rng.integers(network.hidden))) if network.hidden else network


def _link_added(network: Network, rng: Rng) -> Network:
    """Link two nodes drawn at random, where that leads forward and they are not linked yet."""
    target = int(rng.integers(INPUTS, INPUTS + len(network.functions)))
    source = int(rng.integers(min(target, INPUTS + network.hidden)))
    if np.any((network.sources == source) & (network.targets == target)):
        return network
    return network.with_link(source, target, float(rng.standard_normal()))


def _link_deleted(network: Network, rng: Rng) -> Network:
    return network.without_link(int(rng.integers(len(network.weights)))) if len(network.weights) > 1 else network


_CHANGES = (_node_added, _node_deleted, _link_added, _link_deleted)
