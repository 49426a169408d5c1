"""What the genetic algorithms share: children from parents, and batches joined."""

from typing import Any

import numpy as np

from fooldeap.plugin import Batch, Rng, Toolbox


def varied(toolbox: Toolbox, rng: Rng, children: Batch, crossover_rate: float, mutation_rate: float) -> Batch:
    """Cross each pair of children with probability ``crossover_rate``, then mutate each with ``mutation_rate``."""
    crossed = rng.binomial(len(children) // 2, crossover_rate)
    first, second = slice(0, crossed), slice(crossed, 2 * crossed)
    children[first], children[second] = toolbox.mate(children[first], children[second])

    if mutation_rate < 1:
        children = toolbox.take(children, rng.permutation(len(children)))
    mutated = slice(0, rng.binomial(len(children), mutation_rate))
    children[mutated] = toolbox.mutate(children[mutated])
    return children


def joined(first: Any, second: Any) -> Any:
    """Return two batches of genomes as one."""
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else first + second
