"""Mutation of compositional pattern-producing networks."""

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
    turned = _hits([network.functions for network in networks], function_rate, rng)
    moved = _hits([network.weights for network in networks], weight_rate, rng)
    for network, nodes, links in zip(networks, turned, moved, strict=True):
        if nodes.any():
            network.functions[nodes] = rng.integers(len(FUNCTIONS), size=np.count_nonzero(nodes))
        network.weights[links] += sigma * rng.standard_normal(np.count_nonzero(links), np.float32)
    return networks


def _hits(arrays: list[Array], rate: float, rng: Rng) -> list[Array]:
    """Return for each array which of its values are hit, each with probability ``rate``, independently."""
    ends = np.cumsum([len(array) for array in arrays])
    hit = rng.random(ends[-1] if len(ends) else 0) < rate
    return [hit[end - len(array) : end] for end, array in zip(ends.tolist(), arrays, strict=True)]


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
