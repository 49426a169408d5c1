"""The contracts of fitness functions."""

import numpy as np

from fooldeap import contract_checks
from fooldeap.plugin import Predictions
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SHAPES, SIZES, Subject


@contract("fitness")
def _returns_finite_scores(subject: Subject) -> None:
    for rows in SIZES:
        for target in range(4):
            with trying(f"for {rows} images"):
                scores = subject.build()(_predictions(rows), target)
            fault = contract_checks.fitness(scores, _predictions(rows), target)
            demand(fault is None, f"for {rows} images it {fault}")


@contract("fitness")
def _scores_each_image_independently(subject: Subject) -> None:
    everything = _predictions(7)
    with trying("for 7 images"):
        scores = subject.build()(everything, 2)
    for rows in (rng().permutation(7), [4], [5, 2]):
        with trying(f"for {len(rows)} images"):
            some = subject.build()(Predictions(everything.logits[rows], everything.images[rows]), 2)
        demand(np.array_equal(scores[rows], some), "the score of an image depends on the other images of its batch")


@contract("fitness")
def _does_not_change_the_predictions(subject: Subject) -> None:
    given = _predictions(7)
    given.logits, given.images = given.logits.copy(), given.images.copy()  # copies are writable
    with trying("for 7 images"):
        subject.build()(given, 1)
    expected = _predictions(7)
    unchanged = np.array_equal(given.logits, expected.logits) and np.array_equal(given.images, expected.images)
    unchanged = unchanged and np.array_equal(given.log_probabilities, expected.log_probabilities)
    demand(unchanged, "it changes the predictions that it receives; work on a copy")


def _predictions(rows: int) -> Predictions:
    logits = rng(3).normal(0, 5, (rows, 4)).astype(np.float32)
    if rows > 1:
        logits[:2] = [[500, -500, 0, 0], [0, 0, 0, 0]]
    return Predictions(logits, rng(4).integers(0, 256, (rows, *SHAPES[1]), dtype=np.uint8))
