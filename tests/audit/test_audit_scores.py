"""The detection scores of an audit, compared with independent computations."""

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import entropy, mannwhitneyu

from fooldeap.audit import detection

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_is_the_share_of_ordered_pairs(ties):
    real_scores, fooling = RNG.normal(1, 1, 60), RNG.normal(0, 1, 25)
    if ties:
        real_scores, fooling = real_scores.round(), fooling.round()
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(real_scores, fooling)]
    assert detection.auroc(real_scores, fooling) == pytest.approx(np.mean(pairs), abs=1e-12)
    expected = mannwhitneyu(real_scores, fooling).statistic / (60 * 25)
    assert detection.auroc(real_scores, fooling) == pytest.approx(expected, abs=1e-12)
    assert detection.auroc(fooling, real_scores) == pytest.approx(1 - expected, abs=1e-12)


def test_threshold_refuses_95_percent_and_has_a_price():
    fooling, real_scores = np.arange(100.0), np.array([10.0, 94.0, 94.5, 200.0])
    found = detection.verdict(real_scores, fooling)
    assert np.mean(fooling <= found.threshold) == 0.95
    assert np.mean(fooling < found.threshold) < 0.95
    assert found.real_refused == 0.5
    assert detection.verdict(np.full(9, 1.0), np.zeros(20)).real_refused == 0.0
    assert detection.verdict(np.zeros(9), np.ones(20)).real_refused == 1.0
    few = detection.verdict(np.zeros(9), np.ones(19))
    assert (few.auroc, few.threshold, few.real_refused) == (0.0, None, None)


@pytest.mark.parametrize("count", [20, 41, 500])
def test_min_refused_holds_with_95_percent_confidence(count):
    scores = RNG.random((4000, count))
    refused = [
        detection.verdict(np.zeros(1), own).threshold for own in scores
    ]  # for uniform scores, the threshold is the refused share
    least = detection.min_refused(count)
    assert np.mean(np.array(refused) >= least) == pytest.approx(0.95, abs=0.015)
    assert least < 0.95


@pytest.mark.parametrize("count", [5, 40])
def test_auroc_seldom_exceeds_max_error(count):
    rng, errors = np.random.default_rng(1), []
    for _ in range(1000):
        worst = rng.choice([-1.0, 2.0], count)  # an uninformative score with the largest variance
        errors.append(abs(detection.auroc(rng.random(200), worst) - 0.5))
    assert 0.92 < np.mean(np.array(errors) <= detection.max_error(count)) < 0.99


def test_scores_match_their_definitions():
    logits = RNG.normal(0, 3, (50, 7)).astype(np.float32)
    found = detection.compute_scores(logits)
    exact = logits.astype(float)
    p = np.exp(log_softmax(exact, axis=1))
    in_order = np.sort(exact, axis=1)
    np.testing.assert_allclose(found["confidence"], np.log(p.max(axis=1)), atol=1e-12)
    np.testing.assert_allclose(found["margin"], in_order[:, -1] - in_order[:, -2], atol=1e-12)
    np.testing.assert_allclose(found["entropy"], -entropy(p, axis=1), atol=1e-9)
    np.testing.assert_allclose(found["energy"], logsumexp(exact, axis=1), atol=1e-12)


def test_energy_is_left_out_for_probabilities():
    logits = log_softmax(RNG.normal(0, 3, (50, 7)), axis=1).astype(np.float32)
    assert set(detection.compute_scores(logits)) == {"confidence", "margin", "entropy"}


def test_distance_is_measured_to_the_tenth_nearest_direction():
    own, others = RNG.normal(size=(5, 6)), RNG.normal(size=(30, 6))
    for row, found in zip(own, detection.compute_distances(own, others), strict=True):
        apart = [np.linalg.norm(row / np.linalg.norm(row) - each / np.linalg.norm(each)) for each in others]
        assert -found == pytest.approx(sorted(apart)[9], abs=1e-7)
    np.testing.assert_allclose(
        detection.compute_distances(9 * own, others), detection.compute_distances(own, others), atol=1e-9
    )
