"""The attacks of an audit: ordinary experiments, the same for every classifier but for its size."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GOAL = 0.9999
LEVELS = (0.5, 0.9, 0.99, GOAL)  # confidences on the way
GRADIENT_SHARE = 10  # gradient ascent gets one part in so many of the budget: it needs few images, and each twice
GENERATIONS_AN_EVALUATION = 4  # so that runs end by their budget
WAVES = 8  # lowest frequencies along each side of an image
CONTRAST = 12.5  # grey levels; times the square root of an image's pixels it is what its coefficients are drawn with


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes
    ----------
    name : of its folder
    words : what it does
    experiment : the keys of its experiment file that are its own
    budget : images a class
    run_budget : images a run, which may pursue all classes
    shared : whether one run breeds for all classes, so that what each took is its share of the run's images
    white_box : whether it sees inside the classifier
    """

    name: str
    words: str
    experiment: Mapping[str, Any]
    budget: int
    run_budget: int
    shared: bool = False
    white_box: bool = False


def battery(shape: tuple[int, int, int], classes: int, budget: int, *, gradient: bool) -> Iterator[Attack]:
    """Yield the attacks on a classifier.

    Parameters
    ----------
    shape : of its images, (h, w, c)
    classes : how many are attacked
    budget : images a class and attack
    gradient : whether it gives gradients
    """
    height, width, _ = shape
    dct = {"name": "dct", "size": min(WAVES, height, width), "sigma": round(CONTRAST * math.sqrt(height * width), 1)}
    yield Attack(
        "uniform_noise",
        "every pixel at random",
        {"genome": "pixels", "algorithm": "sampling"},
        budget,
        budget,
    )
    yield Attack(
        "smooth_noise",
        "low frequencies at random",
        {"genome": dct, "algorithm": "sampling"},
        budget,
        budget,
    )
    yield Attack(
        "cma_es",
        "low frequencies, evolved by CMA-ES",
        {"genome": dct, "algorithm": "cma_es"},
        budget,
        budget,
    )
    yield Attack(
        "map_elites",
        "patterns drawn by small networks (CPPN), bred for all classes together by MAP-Elites",
        {"genome": "cppn", "algorithm": "map_elites", "crossover": "none", "mutation": "cppn"},
        budget,
        budget * classes,
        shared=True,
    )
    yield Attack(
        "genetic",
        "pixels, evolved by a genetic algorithm",
        {
            "genome": "pixels",
            "algorithm": {"name": "generational", "population": 100},
            "selection": {"name": "tournament", "size": 5},
            "mutation": {"name": "random_pixels", "rate": 0.01},
        },
        budget,
        budget,
    )
    if gradient:
        few = max(1, budget // GRADIENT_SHARE)
        ascent = {"genome": "pixels", "algorithm": "gradient_ascent"}
        yield Attack("gradient", "gradient ascent on the pixels, from noise", ascent, few, few, white_box=True)


def experiment_of(attack: Attack, classifier: Mapping[str, Any], seed: int, targets: list[int]) -> dict[str, Any]:
    """Return an attack as the content of an experiment file."""
    return {
        "name": attack.name,
        "seed": seed,
        "targets": targets,
        "classifier": dict(classifier),
        **attack.experiment,
        "stop": {
            "confidence": GOAL,
            "evaluations": attack.run_budget,
            "generations": GENERATIONS_AN_EVALUATION * attack.run_budget,
        },
        "reporters": ["csv", "images"],
        "report": False,
    }
