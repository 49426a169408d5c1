"""Compare the confidence of a classifier with its own forward pass, or check the cure in its message."""

import numpy as np
import pytest

from fooldeap.contracts import log_confidences
from fooldeap.errors import InputError
from helpers.keras_models import images_like

SHAPE = (8, 6, 3)
WEIGHTS = np.random.default_rng(0).normal(0, 0.01, (144, 4)).astype(np.float32)


def agrees(classifier, forward, atol=1e-6):
    images = images_like(classifier, 5)
    confidences = np.exp(log_confidences(classifier.logits(images), classifier.confidence_kind))
    np.testing.assert_allclose(confidences, np.asarray(forward(images), np.float64), atol=atol)


def refused(classifier, cure):
    with pytest.raises(InputError) as error:
        classifier.logits(np.zeros((1, *SHAPE), np.uint8))
    assert cure in str(error.value)
    assert "\n" not in str(error.value)
