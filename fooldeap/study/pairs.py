"""Compare samples of evaluations: Friedman's test of all samples, and test and effect size of each pair.

All intervals are 95 %. Each random stream is named by its purpose. So a statistic does not depend on the other samples
or on their order.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping

import numpy as np

from fooldeap.study import stats
from fooldeap.study.analysis_types import Friedman, Pair
from fooldeap.study.outcome import Floats
from fooldeap.study.stats import Estimate

Samples = Mapping[str, Floats]  # by name, evaluations (targets, seeds) in the same blocks


def friedman_test(samples: Samples) -> Friedman | None:
    """Return Friedman's test of all samples; None for fewer than three samples."""
    if len(samples) < 3:
        return None
    blocks = [sample.ravel() for sample in samples.values()]
    return Friedman(stats.friedman_statistic(blocks), len(blocks) - 1, blocks[0].size, stats.friedman(blocks))


def compare_pairs(samples: Samples, couples: Iterable[tuple[str, str]], budget: float) -> tuple[Pair, ...]:
    """Compare pairs of samples. The order is kept, and ``p_holm`` is not adjusted yet."""
    return tuple(_compare_pair(*couple, samples, budget) for couple in couples)


def adjust_p_values(found: Iterable[Pair]) -> tuple[Pair, ...]:
    """Adjust the p-values of a family of pairs (Holm 1979)."""
    found = tuple(found)
    return tuple(pair._replace(p_holm=p) for pair, p in zip(found, stats.holm([pair.p for pair in found]), strict=True))


def order_by_mean(couple: tuple[str, str], samples: Samples, budget: float) -> tuple[str, str]:
    """Return a pair of names, the sample with the smaller restricted mean first."""
    one, other = sorted(couple, key=lambda name: (stats.restricted_mean(samples[name], budget), name))
    return one, other


def _compare_pair(first: str, second: str, samples: Samples, budget: float) -> Pair:
    one, other = samples[first], samples[second]
    # Sorted names give the same resamples in both directions.
    a12 = stats.bootstrap_a12(one, other, random_stream("a12", *sorted((first, second))))
    ratio = stats.bootstrap_ratio(one, other, budget, random_stream("ratio", *sorted((first, second))))
    p = stats.signed_rank(one, other)
    return Pair(
        first,
        second,
        p,
        p,
        widen_for_one_seed(a12, one, 0, 1),
        widen_for_one_seed(ratio, one, 0, math.inf),
        blocks=one.size,
        tied=int((one == other).sum()),
    )


def widen_for_one_seed(estimate: Estimate, sample: Floats, lowest: float, highest: float) -> Estimate:
    """Widen the interval to [lowest, highest] if there is only one seed, because one seed cannot be resampled."""
    return estimate if sample.shape[1] > 1 else Estimate(estimate.value, lowest, highest)


def random_stream(*names: object) -> np.random.Generator:
    """Return the random stream with this name."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
