"""What fitness functions promise."""

import numpy as np

from fooldeap import faults
from fooldeap.plugin import Predictions
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SHAPES, SIZES, Subject


@contract("fitness")
def _scores_every_image_with_finite_numbers(subject: Subject) -> None:
    for rows in SIZES:
        for target in range(4):
            with trying(f"for {rows} images"):
                scores = subject.build()(_predictions(rows), target)
            fault = faults.fitness(scores, _predictions(rows), target)
            demand(fault is None, f"for {rows} images it {fault}")


@contract("fitness")
def _scores_an_image_the_same_in_any_company(subject: Subject) -> None:
    everything = _predictions(7)
    with trying("for 7 images"):
        scores = subject.build()(everything, 2)
    for rows in (rng().permutation(7), [4], [5, 2]):
        with trying(f"for {len(rows)} images"):
            some = subject.build()(Predictions(everything.logits[rows], everything.images[rows]), 2)
        demand(np.array_equal(scores[rows], some), "an image's score depends on the other images of its batch")


@contract("fitness")
def _leaves_the_predictions_alone(subject: Subject) -> None:
    said = _predictions(7)
    said.logits, said.images = said.logits.copy(), said.images.copy()  # not read-only, to see what would become of them
    with trying("for 7 images"):
        subject.build()(said, 1)
    kept = _predictions(7)
    untouched = np.array_equal(said.logits, kept.logits) and np.array_equal(said.images, kept.images)
    untouched = untouched and np.array_equal(said.log_probabilities, kept.log_probabilities)
    demand(untouched, "it changes the predictions it is handed; work on a copy")


def _predictions(rows: int) -> Predictions:
    logits = rng(3).normal(0, 5, (rows, 4)).astype(np.float32)
    if rows > 1:
        logits[:2] = [[500, -500, 0, 0], [0, 0, 0, 0]]
    return Predictions(logits, rng(4).integers(0, 256, (rows, *SHAPES[1]), dtype=np.uint8))
