"""Result types of the analysis of a study: statistics, tests and cautions. All intervals are 95 %."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fooldeap.study.stats import Estimate

SIGNIFICANT = 0.05  # level of all tests; p-values of a family of pairs are adjusted first
FEW_SEEDS = 5  # with fewer seeds, bootstrap intervals are too narrow
EARLY_GENERATIONS = 2  # selection has little effect on a run that succeeds within these

CautionKind = Literal[
    "extended",
    "left_out",
    "forced",
    "matched_by_seed",
    "joint",
    "few_seeds",
    "no_power",
    "easy_targets",
    "ceiling",
    "censored",
    "ended_early",
]


class Quartiles(NamedTuple):
    """Quartiles of evaluations over all runs; infinite if the quartile falls among the censored runs."""

    low: float
    median: float
    high: float


class VariantMeasures(NamedTuple):
    """Statistics of one variant, on one target or over all targets.

    In a study with joint variants, a run over all targets is one seed. Its evaluations are those to all targets.

    Parameters
    ----------
    runs, reached : number of runs, and number of runs that reached the goal
    success : share of the runs that reached the goal, with Wilson's interval
    to_goal : evaluations to the goal
    to_50, to_90, to_99 : median evaluations to 50, 90 and 99 % confidence; infinite as in `Quartiles`. A run ends at
        its goal, so higher confidences are usually not reached
    running_time : expected running time in evaluations, with its bootstrap interval; infinite without a success
    restricted_mean : mean of min(evaluations to the goal, budget)
    confidence : median of the final confidences
    area : mean area under the convergence curve, from 0 to 1
    diversity : mean diversity over runs, in grey levels
    """

    runs: int
    reached: int
    success: Estimate
    to_goal: Quartiles
    to_50: float
    to_90: float
    to_99: float
    running_time: Estimate
    restricted_mean: float
    confidence: float
    area: float
    diversity: float


class Variant(NamedTuple):
    """One variant: its mean rank over blocks (1: fewest evaluations), its statistics over all targets and by target."""

    name: str
    joint: bool
    mean_rank: float
    overall: VariantMeasures
    by_target: Mapping[int, VariantMeasures]


class Friedman(NamedTuple):
    """Result of Friedman's test of the null hypothesis that the variants do not differ."""

    chi_square: float
    freedom: int
    blocks: int
    p: float


class Pair(NamedTuple):
    """Comparison of two variants.

    ``first`` is the variant with the smaller restricted mean, or the variant on trial. It needs fewer evaluations if
    ``a12`` is above .5 and ``ratio`` (restricted mean of the first over that of the second) is below 1. ``p`` is the
    p-value of the signed-rank test, and ``p_holm`` the same after Holm's adjustment for the family of pairs. ``tied``
    is the number of blocks in which both need the same number of evaluations or neither reached the goal.
    """

    first: str
    second: str
    p: float
    p_holm: float
    a12: Estimate
    ratio: Estimate
    blocks: int
    tied: int

    @property
    def separated(self) -> bool:
        """Whether the adjusted test finds a difference."""
        return self.p_holm < SIGNIFICANT

    @property
    def identical(self) -> bool:
        """Whether the variants tie in every block."""
        return self.tied == self.blocks


class Level(NamedTuple):
    """One level of a factor, over all settings of the other factors; see `fooldeap.study.factors`.

    ``success`` is the share of its runs that reached the goal, with Wilson's interval. ``evaluations`` is the mean over
    blocks.
    """

    name: str
    mean_rank: float
    success: Estimate
    evaluations: float


class Factor(NamedTuple):
    """Analysis of one factor: its levels by mean rank, the number of settings, and the tests of its levels.

    ``friedman`` is None for two levels. P-values are adjusted for the family of the pairs of levels of all factors.
    """

    name: str
    levels: tuple[Level, ...]
    settings: int
    friedman: Friedman | None
    pairs: tuple[Pair, ...]


class Caution(NamedTuple):
    """A caveat about a study.

    Parameters
    ----------
    kind : ``extended``: the study was changed after runs had finished.
        ``left_out``: the subjects are finished runs that are not compared.
        ``forced``: the study was resumed with ``force``; the subjects are the changes.
        ``matched_by_seed``: the variants do not start from the same images.
        ``joint``: blocks are seeds, because the subjects pursue all targets in one run.
        ``few_seeds``: there are fewer than `FEW_SEEDS` seeds; the value is their number.
        ``no_power``: no pair can be separated, whatever the runs show; the value is the smallest possible p after Holm.
        ``easy_targets``: targets on which more than half of all runs succeed within `EARLY_GENERATIONS` generations.
        ``ceiling``: variants in which more than half of the runs succeed within `EARLY_GENERATIONS` generations.
        ``censored``: variants in which fewer than half of the runs (over all targets) reached the goal.
        ``ended_early``: variants with runs that ended before the budget was spent, without reaching the goal; the value
        is the number of these runs.
    subjects : variants, targets, runs or changes, in order
    value : see above, or None
    """

    kind: CautionKind
    subjects: tuple[str, ...] = ()
    value: float | None = None


@dataclass(frozen=True)
class Analysis:
    """The complete analysis of a study.

    Parameters
    ----------
    variants : by mean rank, the best first
    friedman : None for fewer than three variants
    pairs : in the order of the variants; with a variant on trial, only its pairs
    cliques : the largest groups of variants without a separated pair, see `stats.cliques`; empty with a variant on
        trial
    cautions : in the order of `CautionKind`
    factors : in the order of the keys of the grid
    """

    variants: tuple[Variant, ...]
    friedman: Friedman | None
    pairs: tuple[Pair, ...]
    cliques: tuple[tuple[str, ...], ...]
    cautions: tuple[Caution, ...]
    factors: tuple[Factor, ...] = ()

    def pair(self, one: str, other: str) -> Pair | None:
        """Return the comparison of two variants, in either order; None if they were not compared."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)
