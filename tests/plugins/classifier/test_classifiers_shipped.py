"""The classifiers that ship: as good, as small and as documented as their cards say."""

import hashlib
import re
from importlib import resources

import numpy as np
import pytest
from helpers.experiments import ROOT

from fooldeap import registry
from fooldeap.training.settings import read

CLASSIFIERS = resources.files("fooldeap.data") / "classifiers"
CONFIGS = "configs/classifiers"
LEAST = {"mnist_cnn": 0.992, "mnist_lenet": 0.989, "mnist_cnn_b": 0.992, "mnist_lenet_b": 0.989}


@pytest.fixture(scope="module")
def data():
    return registry.load().get("dataset", "mnist").build({}).load()


def measured(name, data):
    classifier = registry.load().get("classifier", "keras").build({"model": name})
    batches = np.array_split(data.test_images, 10)
    logits = np.concatenate([classifier.logits(batch) for batch in batches])
    return float((logits.argmax(axis=1) == data.test_labels).mean())


def card_of(name):
    return (CLASSIFIERS / f"{name}.md").read_text(encoding="utf-8")


def fact(name, key):
    return re.search(rf"^\| {key} \| `?([^ `]+)", card_of(name), re.MULTILINE)[1]


@pytest.mark.parametrize(("name", "least"), list(LEAST.items()))
def test_accuracy_is_what_the_card_says(data, name, least):
    accuracy = measured(name, data)
    assert accuracy >= least
    assert accuracy == pytest.approx(float(fact(name, "test accuracy")), abs=2e-4)


@pytest.mark.parametrize("name", LEAST)
def test_file_is_small_and_the_one_of_the_card(name):
    content = (CLASSIFIERS / f"{name}.keras").read_bytes()
    assert len(content) <= 1_500_000
    assert hashlib.sha256(content).hexdigest() == fact(name, "sha256")


@pytest.mark.parametrize("name", LEAST)
def test_card_tells_how_the_file_was_made(name):
    card, file = card_of(name), f"{CONFIGS}/{name.removesuffix('_b')}.yaml"
    overrides = re.search(rf"`fooldeap train {file} (.*)--out fooldeap/data/classifiers/{name}.keras`", card)[1]
    training, _ = read(ROOT / file, overrides.split())
    assert training.name == name
    assert fact(name, "seed") == str(training.seed)
    assert fact(name, "epochs").rstrip(";") == str(training.epochs)
    assert "before any images were evolved" in card


def test_mnist_is_documented():
    text = (resources.files("fooldeap.data") / "MNIST.md").read_text(encoding="utf-8")
    content = (resources.files("fooldeap.data") / "mnist.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() in text
    assert "CC BY-SA 3.0" in text
