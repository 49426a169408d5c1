"""What several samples of evaluations are to each other: ranks taken together, and each pair tested and measured.

All intervals are 95 %. Every random stream is named by what it is for, so that a figure is the same whatever else the
study compares and in whatever order.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping

import numpy as np

from fooldeap.study import stats
from fooldeap.study.findings import Friedman, Pair
from fooldeap.study.outcome import Floats
from fooldeap.study.stats import Estimate

Samples = Mapping[str, Floats]  # evaluations (targets, seeds) by name, in the same blocks


def friedman(samples: Samples) -> Friedman | None:
    """Return Friedman's test that all are alike; None for fewer than three."""
    if len(samples) < 3:
        return None
    blocks = [sample.ravel() for sample in samples.values()]
    return Friedman(stats.friedman_statistic(blocks), len(blocks) - 1, blocks[0].size, stats.friedman(blocks))


def pairs(samples: Samples, couples: Iterable[tuple[str, str]], budget: float) -> tuple[Pair, ...]:
    """Return the comparisons of couples, as they are given, p-values not adjusted yet."""
    return tuple(_pair(*couple, samples, budget) for couple in couples)


def adjusted(found: Iterable[Pair]) -> tuple[Pair, ...]:
    """Return pairs with their p-values adjusted for the family of all of them (Holm 1979)."""
    found = tuple(found)
    return tuple(pair._replace(p_holm=p) for pair, p in zip(found, stats.holm([pair.p for pair in found]), strict=True))


def by_mean(couple: tuple[str, str], samples: Samples, budget: float) -> tuple[str, str]:
    """Return a couple, the one with the smaller restricted mean first."""
    one, other = sorted(couple, key=lambda name: (stats.restricted_mean(samples[name], budget), name))
    return one, other


def _pair(first: str, second: str, samples: Samples, budget: float) -> Pair:
    one, other = samples[first], samples[second]
    # The draws are the same in both directions.
    a12 = stats.bootstrap_a12(one, other, seeded("a12", *sorted((first, second))))
    ratio = stats.bootstrap_ratio(one, other, budget, seeded("ratio", *sorted((first, second))))
    p = stats.signed_rank(one, other)
    return Pair(
        first,
        second,
        p,
        p,
        known(a12, one, 0, 1),
        known(ratio, one, 0, math.inf),
        blocks=one.size,
        tied=int((one == other).sum()),
    )


def known(estimate: Estimate, sample: Floats, lowest: float, highest: float) -> Estimate:
    """Return the estimate; of a single seed, which can be resampled in one way only, with all that is possible."""
    return estimate if sample.shape[1] > 1 else Estimate(estimate.value, lowest, highest)


def seeded(*names: object) -> np.random.Generator:
    """Return the random stream of this name."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
