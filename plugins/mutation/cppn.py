"""Mutation of compositional pattern-producing networks (CPPNs)."""

import itertools

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, mutation

from ..genome._network import FUNCTIONS, INPUTS, Network

MAX_NODES = 100  # hidden nodes per network; this bounds the memory of a population


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
    """Change the nodes, links, functions and weights of each small network (genome ``cppn``).

    First come the changes of the topology (Stanley and Miikkulainen 2002), each with its own probability per network:
    ``add_node`` inserts a node into a random link, ``delete_node`` deletes a random hidden node with its links,
    ``add_link`` links two random nodes with a standard normal weight, and ``delete_link`` deletes a random link. Then
    each node gets a random function with probability ``function_rate``. Last, a normal number with standard deviation
    ``sigma`` is added to each weight with probability ``weight_rate``. A network has at most 100 hidden nodes.
    """
    rates = np.array([add_node, delete_node, add_link, delete_link])
    for index, change in np.argwhere(rng.random((len(networks), 4)) < rates).tolist():
        networks[index] = _CHANGES[change](networks[index], rng)
    if networks:
        functions = _Concatenated([network.functions for network in networks])
        weights = _Concatenated([network.weights for network in networks])
        new_functions = rng.random(len(functions.values)) < function_rate
        new_weights = rng.random(len(weights.values)) < weight_rate
        drawn, steps = list[int](), list[Array]()
        for count, weight_count in zip(functions.counts(new_functions), weights.counts(new_weights), strict=True):
            drawn += [int(rng.integers(len(FUNCTIONS))) for _ in range(count)]
            steps.append(rng.standard_normal(weight_count, np.float32))
        functions.values[new_functions] = drawn
        weights.values[new_weights] += sigma * np.concatenate(steps)
        functions.write_back()
        weights.write_back()
    return networks


class _Concatenated:
    """Concatenate several arrays, to process all of them in one numpy call."""

    def __init__(self, arrays: list[Array]) -> None:
        self._arrays, self.values = arrays, np.concatenate(arrays)
        self._bounds = np.cumsum([0, *map(len, arrays)])

    def counts(self, chosen: Array) -> list[int]:
        """Return how many values of each array are selected. ``chosen`` is a mask of ``values``."""
        before = np.concatenate([[0], np.cumsum(chosen)])
        counts: list[int] = np.diff(before[self._bounds]).tolist()
        return counts

    def write_back(self) -> None:
        """Copy ``values`` back into the arrays."""
        for array, (start, stop) in zip(self._arrays, itertools.pairwise(self._bounds.tolist()), strict=True):
            array[:] = self.values[start:stop]


def _add_node(network: Network, rng: Rng) -> Network:
    if network.hidden >= MAX_NODES or not len(network.weights):
        return network
    return network.with_node(int(rng.integers(len(network.weights))), int(rng.integers(len(FUNCTIONS))))


def _delete_node(network: Network, rng: Rng) -> Network:
    return network.without_node(INPUTS + int(rng.integers(network.hidden))) if network.hidden else network


def _add_link(network: Network, rng: Rng) -> Network:
    """Link two random nodes, unless they are linked already. Links lead to later nodes only."""
    target = int(rng.integers(INPUTS, INPUTS + len(network.functions)))
    source = int(rng.integers(min(target, INPUTS + network.hidden)))
    if np.any((network.sources == source) & (network.targets == target)):
        return network
    return network.with_link(source, target, float(rng.standard_normal()))


def _delete_link(network: Network, rng: Rng) -> Network:
    return network.without_link(int(rng.integers(len(network.weights)))) if len(network.weights) > 1 else network


_CHANGES = (_add_node, _delete_node, _add_link, _delete_link)
