"""Gradient ascent, with steps calculated by hand. For gradients see test_keras_classifier.py."""

import itertools

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, run, tiny

from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.plugin import dataclass, genome
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins.genome.pixels import Pixels


class Said:
    """Return a reply whose gradient equals the images."""

    def __init__(self, images):
        self.gradient = images.astype(np.float32) / 7


def steps(count, **parameters):
    """Return the images of several generations."""
    with ExperimentSession(tiny(algorithm={"name": "gradient_ascent", "population": 3, **parameters})) as prepared:
        evolution = prepared.experiment.algorithm.build()(prepared.toolbox(RunInfo(1, (2,))), np.random.default_rng(0))
        found = [next(evolution)]
        for _ in range(count):
            found.append(evolution.send(Said(found[-1].genomes)))
    assert all(ask.gradient for ask in found)
    return [ask.genomes for ask in found]


def test_a_step_by_hand():
    before, after = steps(1, step=6.0, decay=0.25, centre=100.0)
    for image, moved in zip(before.astype(float), after, strict=True):
        ascended = image + 6 * image / np.sqrt((image**2).mean())
        expected = np.clip(100 + 0.75 * (ascended - 100), 0, 255)
        assert np.abs(moved - expected).max() <= 0.5 + 1e-9


def test_small_steps_accumulate():
    images = steps(50, step=0.1)
    assert any(np.array_equal(one, other) for one, other in itertools.pairwise(images))
    assert np.abs(images[-1].astype(float) - images[0]).mean() > 2


def test_confidence_of_a_linear_classifier_rises():
    result, _ = run(
        tiny(algorithm={"name": "gradient_ascent", "step": 5.0}, stop={"confidence": None, "generations": 40})
    )
    for each in result:
        confidence = [row.confidence for row in each.log]
        assert confidence[-1] > 0.9
        assert (np.diff(confidence) > -1e-3).all()


@genome("negative")
@dataclass(frozen=True)
class Negative(Pixels):
    """Inverted images. They have the shape and dtype of images but must be decoded."""

    def decode(self, genomes):
        return 255 - genomes


def test_inverted_genome_is_refused():
    experiment = config.load({**TINY, "algorithm": "gradient_ascent", "genome": "negative"}, plugins=[KIT, Negative])
    with pytest.raises(InputError, match="gradient_ascent changes the image directly; use the genome 'pixels'"):
        run(experiment)


def test_other_genomes_are_refused():
    with pytest.raises(InputError, match="gradient_ascent changes the image directly; use the genome 'pixels'"):
        run(tiny(algorithm="gradient_ascent", genome={"name": "dct", "size": 4}))
