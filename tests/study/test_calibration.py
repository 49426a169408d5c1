"""The statistics on studies in which the truth is known: a small version of ``benchmarks/calibration.py``.

Made up from real runs, in ``tests/data/runs.csv``. Limits are what 999 of 1000 such counts keep.
"""

import importlib.util
import itertools

import numpy as np
import pytest
from helpers.experiments import ROOT
from scipy.stats import binom

from fooldeap.study import stats

SPEC = importlib.util.spec_from_file_location("_studies", ROOT / "benchmarks/_studies.py")
made = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(made)

STUDIES = 300
LIMIT = int(binom.ppf(0.999, STUDIES, 0.05))
POWER = int(binom.ppf(0.001, STUDIES, 0.8))
SEEDS, LUCK = 15, 0.5


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def real():
    """Four variants, six pairs."""
    return made.read(ROOT / "tests/data/runs.csv")[1][:4]


def alarms(make, *verdicts):
    return made.count(STUDIES, make, *verdicts)


def test_study_is_read_from_csv(real):
    lines = (ROOT / "tests/data/runs.csv").read_text().splitlines()[1:]
    assert real.shape == (4, 10, SEEDS)
    first = [float(line.rsplit(",", 1)[1] or "inf") for line in lines[: 10 * SEEDS]]
    assert real[0].ravel().tolist() == first
    assert 0 < np.isinf(real).mean() < 0.5  # else censoring is not tested here


def test_no_false_alarms_by_factor(real, rng):
    """Grids of 2 x 2 without a difference; and of a factor that makes one, and one that makes none."""
    budget = real[np.isfinite(real)].max()
    (nothing,) = alarms(
        lambda: made.permuted(real, rng).reshape(2, 2, *real.shape[1:]),
        lambda grid: bool(made.separated_levels(grid, budget)),
    )
    assert nothing <= LIMIT
    idle, real_one = alarms(
        lambda: made.one_factor_only(real[[0, 3]], 2, rng),
        lambda grid: (1, (0, 1)) in made.separated_levels(grid, budget),
        lambda grid: (0, (0, 1)) in made.separated_levels(grid, budget),
    )
    assert idle <= LIMIT
    assert real_one >= POWER


@pytest.mark.parametrize("blocks", [lambda study: study, made.by_seed], ids=["target x seed", "seed"])
def test_no_false_alarms_where_no_variant_differs(blocks, real, rng):
    friedman, pairs = alarms(lambda: made.permuted(blocks(real), rng), made.friedman_alarms, made.any_pair)
    assert friedman <= LIMIT
    assert pairs <= LIMIT


@pytest.mark.parametrize("bad", [made.worst_is_bad, made.failing_is_bad])
def test_a_bad_variant_separates_no_equal_ones(bad, real, rng):
    said = [made.separated(bad(real[:3], rng)) for _ in range(STUDIES)]
    worse = len(bad(real[:3], rng)) - 1
    assert all(any(worse in pair for pair in pairs) for pairs in said)
    assert sum(any(worse not in pair for pair in pairs) for pairs in said) <= LIMIT


def test_joint_runs_are_compared_by_seeds(real, rng):
    """Their targets share luck: taken for blocks of their own, they alarm several times as often as they may."""
    population = made.Population(made.steadiest(real))
    right, wrong = alarms(
        lambda: population.draw(3, SEEDS, rng, luck=LUCK),
        lambda study: made.any_pair(made.together(study)),
        made.any_pair,
    )
    assert right <= LIMIT
    assert wrong > 4 * LIMIT


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_difference_is_found_also_where_runs_are_censored(share, real, rng):
    """Within-target A12 = .65, on 10 targets x 15 seeds, by two variants."""
    population, better = better_population(real, share)
    studies = [population.draw(2, SEEDS, rng, better) for _ in range(STUDIES)]
    assert np.mean([stats.a12(*study) for study in studies]) == pytest.approx(0.65, abs=0.01)
    assert sum(map(made.first_pair, studies)) >= POWER


def better_population(real, share):
    """Return a population with so large a share of its runs censored, and how much faster a better one is."""
    runs = made.steadiest(real)
    budgets = np.quantile(runs, 1 - share, axis=1, method="lower") if share else np.inf
    population = made.Population(runs, budgets)
    return population, population.better(0.65)


def without_censored(first, second):
    kept = np.isfinite(first) & np.isfinite(second)
    return SIGNED_RANK(first[kept], second[kept])


SIGNED_RANK = stats.signed_rank


def test_statistics_that_drop_censored_runs_would_be_seen(real, rng, monkeypatch):
    monkeypatch.setattr(stats, "signed_rank", without_censored)
    population, better = better_population(real, 0.5)
    (found,) = alarms(lambda: population.draw(2, SEEDS, rng, better), made.first_pair)
    assert found < POWER


def test_statistics_without_holm_would_be_seen(real, rng, monkeypatch):
    monkeypatch.setattr(stats, "holm", list)
    assert alarms(lambda: made.permuted(real, rng), made.any_pair)[0] > LIMIT


def test_statistics_that_hold_only_where_all_are_equal_would_be_seen(real, rng, monkeypatch):
    """All pairs at 5 % where Friedman's test alarms: right without a difference, wrong with one bad variant."""

    def separated(study):
        pairs = itertools.combinations(range(len(study)), 2)
        gate = made.friedman_alarms(study)
        return {(a, b) for a, b in pairs if gate and stats.signed_rank(study[a], study[b]) < made.LEVEL}

    monkeypatch.setattr(made, "separated", separated)
    assert alarms(lambda: made.failing_is_bad(real[:3], rng), made.any_equal_pair)[0] > LIMIT
