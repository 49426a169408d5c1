"""What an analysis of a study finds: figures, tests and cautions, without words for them. All intervals are 95 %."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fooldeap.study.stats import Estimate

SIGNIFICANT = 0.05  # of p-values, after Holm where they are of a family
FEW_SEEDS = 5  # below this, intervals by resampling seeds are too narrow to rely on
EARLY_GENERATIONS = 2  # a run that succeeds within them was hardly selected at all

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
    """Of evaluations, censored runs kept: infinite where the quartile falls among them."""

    low: float
    median: float
    high: float


class Measures(NamedTuple):
    """What one variant did, on one target or over all.

    Over all targets of a study with joint variants, a run is a seed: all targets together, their evaluations summed.

    Parameters
    ----------
    runs, reached : how many there were, and how many reached the goal
    success : the share that did, with Wilson's interval
    to_goal : evaluations to the goal
    to_50, to_90, to_99 : the median of the evaluations to 50, 90 and 99 % confidence; infinite as in `Quartiles`. A run
        ends with its goal: what lies beyond that was not tried for
    running_time : expected running time in evaluations, infinite without a success, with its bootstrap interval
    restricted_mean : mean evaluations to the goal, those of a run that did not reach it being the budget
    confidence : the median of the final confidences
    area : the mean of the areas under the convergence curves, from 0 to 1
    diversity : the mean over runs, in grey levels
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
    """One variant: its mean rank over blocks (1: the fewest evaluations), its figures over targets and on each."""

    name: str
    joint: bool
    mean_rank: float
    overall: Measures
    by_target: Mapping[int, Measures]


class Friedman(NamedTuple):
    """Friedman's test that the variants do not differ."""

    chi_square: float
    freedom: int
    blocks: int
    p: float


class Pair(NamedTuple):
    """One variant against another.

    ``first`` is the one with the smaller restricted mean, or the variant on trial. ``a12`` above .5 and ``ratio`` (of
    restricted means, first over second) below 1 mean that it needs fewer evaluations. ``p_holm`` is that of the
    signed-rank test, adjusted for the family of all pairs in the study's analysis. ``tied`` blocks are those in which
    both need as many, or neither reached the goal.
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
        """Whether the test tells them apart."""
        return self.p_holm < SIGNIFICANT

    @property
    def identical(self) -> bool:
        """Whether they tie in every block."""
        return self.tied == self.blocks


class Level(NamedTuple):
    """One level of a factor, over all settings of the others: see `fooldeap.study.factors`.

    ``success`` is the share of all its runs that reached the goal, with Wilson's interval, ``evaluations`` the mean
    over blocks.
    """

    name: str
    mean_rank: float
    success: Estimate
    evaluations: float


class Factor(NamedTuple):
    """One key of a grid: its levels by mean rank, over so many settings of the others, and the comparisons of them.

    ``friedman`` is None for two levels; p-values of pairs are adjusted for the family of the pairs of all factors.
    """

    name: str
    levels: tuple[Level, ...]
    settings: int
    friedman: Friedman | None
    pairs: tuple[Pair, ...]


class Caution(NamedTuple):
    """What a reader must know before believing the rest.

    Parameters
    ----------
    kind : ``extended``: the study was changed after runs of it had ended.
        ``left_out``: these runs had ended, and are not among those that are compared.
        ``forced``: what else had changed when somebody went on with it.
        ``matched_by_seed``: the variants do not start from the same images.
        ``joint``: blocks are seeds, as the variants named pursue all targets in one run.
        ``few_seeds``: fewer than `FEW_SEEDS`; how many.
        ``no_power``: no pair could be told apart whatever the runs had shown; the smallest p attainable after Holm.
        ``easy_targets``: targets on which more than half of all runs succeed within `EARLY_GENERATIONS` generations.
        ``ceiling``: variants of which more than half of the runs do.
        ``censored``: variants of which fewer than half of the runs (over all targets) reached the goal in the budget.
        ``ended_early``: variants with runs that ended without the goal before their budget; how many such runs.
    subjects : the variants, or the targets, in order
    value : see above, or None
    """

    kind: CautionKind
    subjects: tuple[str, ...] = ()
    value: float | None = None


@dataclass(frozen=True)
class Analysis:
    """All that the report, the tables and the figures say.

    Parameters
    ----------
    variants : by mean rank, the best first
    friedman : None for fewer than three variants
    pairs : in the order of the variants; with a variant on trial, only its own
    cliques : the largest groups that nothing separates, see `stats.cliques`; none with a variant on trial
    factors : of a grid of several keys, in the order of the keys
    cautions : in the order of `CautionKind`
    """

    variants: tuple[Variant, ...]
    friedman: Friedman | None
    pairs: tuple[Pair, ...]
    cliques: tuple[tuple[str, ...], ...]
    cautions: tuple[Caution, ...]
    factors: tuple[Factor, ...] = ()

    def pair(self, one: str, other: str) -> Pair | None:
        """Return the comparison of two variants, in the direction that it has; None if they were not compared."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)
