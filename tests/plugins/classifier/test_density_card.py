"""The model card of the shipped densities says what they are."""

import hashlib
import re
from importlib import resources

import numpy as np
import pytest
from scipy.special import log_softmax

from fooldeap import registry

CLASSIFIERS = resources.files("fooldeap.data") / "classifiers"
CARD = (CLASSIFIERS / "mnist_density.md").read_text(encoding="utf-8")


def fact(key):
    return re.search(rf"^\| {key} \| `?([^ `,]+)", CARD, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def data():
    return registry.load().get("dataset", "mnist").build({}).load()


def classifier(**values):
    return registry.load().get("classifier", "density").build({"model": "mnist_density", **values})


def test_the_file_is_the_one_of_the_card():
    content = (CLASSIFIERS / "mnist_density.npz").read_bytes()
    assert len(content) <= 1_500_000
    assert hashlib.sha256(content).hexdigest() == fact("sha256")


def test_accuracy_and_calibration_are_what_the_card_says(data):
    log_p = log_softmax(classifier().logits(data.test_images).astype(float), axis=1)
    right, confidence = log_p.argmax(axis=1) == data.test_labels, np.exp(log_p.max(axis=1))
    assert right.mean() == pytest.approx(float(fact("test accuracy")), abs=2e-4)
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = [abs(np.sum(right[bins == each]) - np.sum(confidence[bins == each])) for each in range(15)]
    assert np.sum(gaps) / len(right) == pytest.approx(float(fact("expected calibration error")), abs=2e-4)
    held_out = classifier().logits(data.train_images[-5000:]).argmax(axis=1) == data.train_labels[-5000:]
    assert held_out.mean() == pytest.approx(float(fact("validation accuracy")), abs=2e-4)


def test_what_is_rejected_is_what_the_card_says(data):
    rejecting = classifier(reject=0.01)
    rejected = rejecting.logits(data.test_images).argmax(axis=1) == 10
    assert rejected.mean() == pytest.approx(float(fact("rejected with `reject: 0.01`")), abs=2e-4)
    even = np.array([0, 33, 128, 255], np.uint8)[:, None, None, None] * np.ones((28, 28, 1), np.uint8)
    assert (rejecting.logits(even).argmax(axis=1) == 10).tolist() == [False, False, True, True]
    densities = rejecting.log_densities(np.concatenate([even[:2], data.test_images]))
    assert densities[:2].min() > np.median(densities[2:])
