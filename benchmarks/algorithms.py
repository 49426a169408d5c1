"""Overhead of the loop for each algorithm and several genomes, relative to the bare forward pass.

    python benchmarks/algorithms.py [--repeats 9] [--json FILE] [--only TEXT]

Each case is a complete run for all ten digits on mnist_cnn, with journal and log.csv. It takes about a second. The
other settings are those of the default experiment. scale.py explains the ratio. To add a case, add it to ``CASES``.
"""

import functools
import sys
from typing import Any, NamedTuple

import numpy as np
from _measure import Figure, Spread, options, ratio, report
from scale import Alternating, measure_loop

from fooldeap.configuration import config
from fooldeap.plugin import Rng, dataclass, genome, mutation
from fooldeap.runs.environment import current_environment
from fooldeap_plugins.genome._network import Network
from fooldeap_plugins.genome.cppn import Cppn
from fooldeap_plugins.mutation.cppn import cppn

IMAGES = 20_000  # evaluations in a repeat, approximately
NODES = 10
DCT = {"genome": "dct", "mutation": "gaussian", "crossover": "none"}
TEN_NODES = {"genome": "cppn_of_ten_nodes", "mutation": "cppn_of_ten_nodes", "crossover": "none"}


@genome("cppn_of_ten_nodes")
@dataclass(frozen=True)
class TenNodes(Cppn):
    """Networks that have ten hidden nodes and about twenty links from the start."""

    def sample(self, count: int, rng: Rng) -> list[Network]:
        """Return ``count`` networks, drawn from networks that are grown only once because that is slow."""
        known = _grow(self)
        return self.take(known, rng.integers(len(known), size=count))


@functools.cache
def _grow(genome: Cppn) -> list[Network]:
    rng, found = np.random.default_rng(0), list[Network]()
    networks = Cppn.sample(genome, 2000, rng)
    for _ in range(80):
        networks = cppn(networks, rng, add_node=0.2, delete_node=0.02, add_link=0.25)
        found += [each.copy() for each in networks if each.hidden == NODES]
        networks = [each for each in networks if each.hidden < NODES]
    return found


@mutation("cppn_of_ten_nodes", genome="cppn_of_ten_nodes")
def with_ten_nodes(networks: list[Network], rng: Rng) -> list[Network]:
    """Mutate networks without changing the number of nodes."""
    return cppn(networks, rng, add_node=0.0, delete_node=0.0, delete_link=0.1)


class Case(NamedTuple):
    """A measured case: name, choices of the experiment, images per generation, and the goal of the ratio."""

    name: str
    choices: dict[str, Any]
    images: int
    least: float | None = None


CASES = (
    Case("map_elites", {"algorithm": {"name": "map_elites", "population": 200}}, 200, least=0.85),
    Case("map_elites, polynomial", {"algorithm": "map_elites", "mutation": "polynomial"}, 200),
    Case("map_elites, cppn of ten nodes", {"algorithm": "map_elites", **TEN_NODES}, 200, least=0.5),
    Case("nsga2", {"algorithm": {"name": "nsga2", "population": 100}, "fitness": "confidence_and_ink"}, 1000),
    Case("snes", {"algorithm": {"name": "snes", "population": 20}}, 200),
    Case("snes on dct", {"algorithm": {"name": "snes", "population": 20}, **DCT}, 200),
    Case("differential_evolution", {"algorithm": {"name": "differential_evolution", "population": 100}}, 1000),
    Case("generational on dct", DCT, 1000),
    Case("generational on blocks", {"genome": "blocks"}, 1000),
    Case("generational on binary", {"genome": "binary"}, 1000),
    Case("cma_es", {"algorithm": {"name": "cma_es", "population": 20}}, 200),
    Case("cma_es on dct", {"algorithm": {"name": "cma_es", "population": 20}, **DCT}, 200),
)


def main() -> int:
    arguments = options(__doc__, only="cases").parse_args()
    figures, notes = [], []
    classifier = Alternating(config.load({}).classifier.build())
    for case in CASES:
        if arguments.only not in case.name:
            continue
        measured, discarded = measure(case, classifier, arguments.repeats)
        figures.append(Figure(f"loop / forward, {case.name}", ratio(measured, "bare", "loop"), case.least))
        loop, bare = (Spread.of(measured[side]).median for side in ("loop", "bare"))
        notes.append(
            f"{case.name}: {loop:.1f} us per image, {bare:.1f} of them in the bare pass; {discarded} repeats discarded"
        )
    return report(figures, notes, arguments.json, environment=current_environment())


def measure(case: Case, classifier: Alternating, repeats: int) -> tuple[dict[str, list[float]], int]:
    """Measure one case; see `scale.measure_loop`."""
    stop = {"confidence": None, "evaluations": None, "generations": IMAGES // case.images}
    experiment = config.load({"stop": stop, "reporters": ["csv"], **case.choices}, plugins=[TenNodes, with_ten_nodes])
    return measure_loop(experiment, classifier, repeats)


if __name__ == "__main__":
    sys.exit(main())
