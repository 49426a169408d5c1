"""The stock fitness functions, compared with scipy and with numbers calculated by hand."""

import math

import numpy as np
import pytest
from helpers.operators import noise, operator, rng
from scipy import special

from fooldeap.plugin import Predictions


def predictions(*rows):
    logits = np.array(rows, np.float32)
    return Predictions(logits, noise(len(rows)))


def test_predictions_equal_the_softmax_of_scipy():
    logits = rng().normal(0, 30, (50, 10)).astype(np.float32)
    got = Predictions(logits, noise(50))
    assert np.allclose(got.log_probabilities, special.log_softmax(logits.astype(float), axis=1), atol=1e-12, rtol=0)
    assert np.allclose(got.probabilities, special.softmax(logits.astype(float), axis=1), atol=1e-14, rtol=0)


@pytest.mark.parametrize("name", ["logits", "images", "log_probabilities", "probabilities"])
def test_predictions_are_read_only(name):
    """The engine reads confidences and images from the same arrays."""
    logits, images = rng().normal(size=(3, 4)).astype(np.float32), noise(3)
    said = Predictions(logits, images)
    with pytest.raises(ValueError, match="read-only"):
        getattr(said, name)[0] = 1
    images[0], logits[0] = 1, 1  # the owner can change them


def test_softmax_loss_on_logits_by_hand():
    # L = -2 + log(e^2 + e^0 + e^1)
    loss = -2 + math.log(math.exp(2) + 1 + math.e)
    assert operator("fitness", "softmax_loss")(predictions([2, 0, 1]), 0)[0] == pytest.approx(1 / loss, rel=1e-12)


def test_softmax_loss_is_capped_where_the_loss_underflows():
    score = operator("fitness", "softmax_loss", cap=1e6)
    assert score(predictions([500, 0, 0], [0, 500, 0]), 0).tolist() == [1e6, pytest.approx(1 / 500)]


def test_softmax_loss_on_probabilities_has_the_scale_of_the_published_table():
    score = operator("fitness", "softmax_loss", scores="probabilities")
    certain = [200] + [0] * 9
    reached, missed = score(predictions(certain), 0)[0], score(predictions(certain), 5)[0]
    assert reached == pytest.approx(1 / (math.log(math.e + 9) - 1)) == pytest.approx(0.68439, abs=1e-5)
    assert missed == pytest.approx(1 / math.log(math.e + 9)) == pytest.approx(0.40631, abs=1e-5)


def test_cross_entropy_confidence_and_margin_by_hand():
    said = predictions([2, 0, 1], [0, 5, 0])
    p = math.exp(2) / (math.exp(2) + 1 + math.e)
    assert operator("fitness", "confidence")(said, 0)[0] == pytest.approx(p, rel=1e-12)
    assert operator("fitness", "cross_entropy")(said, 0)[0] == pytest.approx(math.log(p), rel=1e-12)
    assert operator("fitness", "margin")(said, 0).tolist() == [1, -5]
    assert operator("fitness", "margin")(said, 1).tolist() == [-2, 5]
    assert operator("fitness", "cross_entropy")(predictions([800, 0, 0]), 1)[0] == -800
