"""What the genetic algorithms share: children from parents, and batches joined."""

from typing import Any

import numpy as np

from fooldeap.plugin import Batch, Rng, Toolbox


def varied(toolbox: Toolbox, rng: Rng, children: Batch, crossover_rate: float, mutation_rate: float) -> Batch:
    """Cross each pair of children with probability ``crossover_rate``, then mutate each with ``mutation_rate``."""
    crossed = rng.binomial(len(children) // 2, crossover_rate)
    first, second = children[:crossed], children[crossed : 2 * crossed]
    one, other = toolbox.mate(first, second)
    put(children, 0, one, first)
    put(children, crossed, other, second)

    if mutation_rate < 1:
        children = toolbox.take(children, rng.permutation(len(children)))
    chosen = children[: rng.binomial(len(children), mutation_rate)]
    put(children, 0, toolbox.mutate(chosen), chosen)
    return children


def put(batch: Batch, start: int, new: Batch, part: Batch) -> None:
    """Write ``new`` into a batch from ``start``, where ``part`` was; a view that was changed in place is there."""
    if new is not part or isinstance(part, list):
        batch[start : start + len(part)] = new


def joined(first: Any, second: Any) -> Any:
    """Return two batches of genomes as one."""
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else first + second
