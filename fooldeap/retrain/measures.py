"""What is found out about each network of a chain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fooldeap.configuration import config
from fooldeap.engine.evaluation import Evaluator
from fooldeap.plugin import Images, Split


class Measures(NamedTuple):
    """What is found out about one network of the chain.

    Parameters
    ----------
    network : its number, from 1
    fooling : how many fooling images it was trained on
    accuracy : on the dataset's test images; the fooling class counts as wrong
    images : how many images were evolved on it
    reached : how many of them reached the goal
    confidence : the median confidence of these images in their targets, and its quartiles
    evaluations_half, evaluations : medians of the evaluations to a confidence of 50 % and to the goal, None where half
        did not come there
    recognised : the share of the fooling images of all networks before, which it was trained on, that it takes for its
        fooling class
    """

    network: int
    fooling: int
    accuracy: float
    images: int
    reached: int
    confidence: float
    confidence_low: float
    confidence_high: float
    evaluations_half: float | None
    evaluations: float | None
    recognised: float | None


def measured(network: int, model: Path, results: Sequence[Mapping[str, Any]], earlier: Images, data: Split) -> Measures:
    """Return what there is to say of a network.

    Parameters
    ----------
    network : its number, from 1
    model : its file
    results : the runs on it, as in ``result.json``
    earlier : the fooling images that it was trained on, as one class more
    data : the dataset, without that class
    """
    classifier = config.load({"classifier": {"name": "keras", "model": str(model)}}).classifier.build()
    clean, known = Evaluator(classifier).logits([data.test_images, earlier])
    confidence = np.array([each["confidence"] for each in results])
    to_goal = [each["evaluations_to_goal"] for each in results]
    low, middle, high = np.quantile(confidence, [0.25, 0.5, 0.75]).tolist()
    return Measures(
        network=network,
        fooling=len(earlier),
        accuracy=float((clean.argmax(axis=1) == data.test_labels).mean()),
        images=len(results),
        reached=sum(each is not None for each in to_goal),
        confidence=middle,
        confidence_low=low,
        confidence_high=high,
        evaluations_half=_median([each["evaluations_to"].get("0.5") for each in results]),
        evaluations=_median(to_goal),
        recognised=float((known.argmax(axis=1) == classifier.classes - 1).mean()) if len(earlier) else None,
    )


def _median(evaluations: Sequence[int | None]) -> float | None:
    """Return a median that counts who did not come there as coming last, None where it did not."""
    median = float(np.median([np.inf if each is None else each for each in evaluations]))
    return median if np.isfinite(median) else None
