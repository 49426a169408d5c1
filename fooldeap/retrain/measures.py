"""The measures of each network of a chain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fooldeap.configuration import config
from fooldeap.engine.evaluation import Evaluator
from fooldeap.plugin import Images, Split


class NetworkMeasures(NamedTuple):
    """The measures of one network.

    Parameters
    ----------
    network : number of the network, from 1
    fooling : number of fooling images in its training
    accuracy : on the test images of the dataset; a test image classified as a fooling image counts as wrong
    images : number of images evolved on it
    reached : number of these images that reached the goal
    confidence, confidence_low, confidence_high : median and quartiles of the images' confidence for their targets
    evaluations_half, evaluations : median numbers of evaluations to 50 % confidence and to the goal; None unless more
        than half of the runs reached it
    recognised : share of the fooling images in its training that it classifies as fooling images; None for the first
        network
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


def measure(
    network: int, model: Path, results: Sequence[Mapping[str, Any]], earlier: Images, data: Split
) -> NetworkMeasures:
    """Measure a network.

    Parameters
    ----------
    network : number of the network, from 1
    model : its file
    results : the runs on it, as in ``result.json``
    earlier : the fooling images in its training, uint8 (n, h, w, c)
    data : the dataset, without the class of fooling images
    """
    classifier = config.load({"classifier": {"name": "keras", "model": str(model)}}).build_classifier()
    clean, fooling = Evaluator(classifier).logits([data.test_images, earlier])
    confidence = np.array([each["confidence"] for each in results])
    to_goal = [each["evaluations_to_goal"] for each in results]
    low, middle, high = np.quantile(confidence, [0.25, 0.5, 0.75]).tolist()
    return NetworkMeasures(
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
        recognised=float((fooling.argmax(axis=1) == classifier.classes - 1).mean()) if len(earlier) else None,
    )


def _median(evaluations: Sequence[int | None]) -> float | None:
    """Return the median, where None counts as infinite; None if the median is infinite."""
    median = float(np.median([np.inf if each is None else each for each in evaluations]))
    return median if np.isfinite(median) else None
