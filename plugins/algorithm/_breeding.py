"""Helpers of the genetic algorithms: crossover and mutation of a batch."""

from typing import Any

import numpy as np

from fooldeap.plugin import Batch, Rng, Toolbox


def vary(toolbox: Toolbox, rng: Rng, children: Batch, crossover_rate: float, mutation_rate: float) -> Batch:
    """Cross a part of the children pairwise, then mutate a part of them.

    The parts have binomial sizes: each pair is crossed with probability ``crossover_rate``, and each child is mutated
    with probability ``mutation_rate``. Pairs are counted in order, so the children must be in random order.
    """
    crossed = rng.binomial(len(children) // 2, crossover_rate)
    first, second = children[:crossed], children[crossed : 2 * crossed]
    one, other = toolbox.mate(first, second)
    write_back(children, 0, one, first)
    write_back(children, crossed, other, second)

    if mutation_rate < 1:
        children = toolbox.take(children, rng.permutation(len(children)))
    chosen = children[: rng.binomial(len(children), mutation_rate)]
    write_back(children, 0, toolbox.mutate(chosen), chosen)
    return children


def write_back(batch: Batch, start: int, new: Batch, part: Batch) -> None:
    """Write ``new`` into a batch, beginning at ``start``, in place of ``part``.

    If ``new`` is ``part`` itself, an array, it was changed in place and nothing is copied.
    """
    if new is not part or isinstance(part, list):
        batch[start : start + len(part)] = new


def concatenate(first: Any, second: Any) -> Any:
    """Concatenate two batches of genomes."""
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else first + second
