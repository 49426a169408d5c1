"""The student project's experiment: what docs/seed.md claims of it."""

import pytest
from helpers.experiments import ROOT

import fooldeap

CERTAIN = 0.684  # on the scale of probabilities some 99.9 %


@pytest.fixture(scope="module")
def seed():
    return fooldeap.run(ROOT / "configs/seed.yaml", seeds=3, reporters=[], quiet=True)


@pytest.mark.slow
def test_ten_of_ten_are_fooled_with_three_seeds(seed):
    assert len(seed) == 30
    assert [(run.seed, run.target, run.predicted) for run in seed if run.predicted != run.target] == []
    assert max(run.evaluations for run in seed) <= 25_050


@pytest.mark.slow
def test_the_best_scores_are_at_the_ceiling(seed):
    for number in {run.seed for run in seed}:
        scores = [run.score for run in seed if run.seed == number]
        assert min(scores) >= 0.680
        assert sum(score >= CERTAIN for score in scores) >= 8


def test_what_a_score_means():
    # S = 1 / (log(sum exp p) - p_t): with p_t = .999 and the rest on another class.
    import math

    p = 0.999
    loss = math.log(math.exp(p) + math.exp(1 - p) + 8) - p
    assert 1 / loss == pytest.approx(CERTAIN, abs=1e-3)
