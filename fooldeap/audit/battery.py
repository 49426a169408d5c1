"""The attacks of an audit: ordinary experiments, the same for every classifier but for its size.

Each is a file ``fooldeap/data/audit/PLACE-NAME.yaml``, and they are made in the order of these places. An attack more
is a file more, with the keys

- ``what``: what it does, in words
- ``charged``: which images a class is charged. ``own``: those of its own run; ``shared``: its share of those of one run
  that breeds for all classes; ``common``: all of those of one run, each of which counts for every class
- ``white_box``: whether it sees inside the classifier; it is made where there are gradients (without it: false)
- ``one_part_in``: it has one part in so many of the budget (without it: 1)
- ``experiment``: the keys of an experiment that are its own; a value ``$waves`` or ``$contrast`` is fitted to the size
  of the images, see `fitted`
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from fooldeap.configuration import reading

GOAL = 0.9999
LEVELS = (0.5, 0.9, 0.99, GOAL)  # confidences on the way
GENERATIONS_AN_EVALUATION = 4  # so that runs end by their budget
WAVES = 8  # lowest frequencies along each side of an image
CONTRAST = 12.5  # grey levels


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack.

    Attributes
    ----------
    name : from the name of its file; also that of its folder
    budget : images a class
    run_budget : images a run, which may pursue all classes
    others : the keys of its file
    """

    name: str
    what: str
    experiment: Mapping[str, Any]
    budget: int
    run_budget: int
    charged: Literal["own", "shared", "common"]
    white_box: bool = False
    one_part_in: int = 1

    def charge(self, images: int, classes: int) -> int:
        """Return what a class is charged of images that a run showed for so many classes."""
        return math.ceil(images / classes) if self.charged == "shared" else images


def battery(shape: tuple[int, int, int], classes: int, budget: int, *, gradient: bool) -> Iterator[Attack]:
    """Yield the attacks on a classifier.

    Parameters
    ----------
    shape : of its images, (h, w, c)
    classes : how many are attacked
    budget : images a class and attack
    gradient : whether it gives gradients
    """
    for file in sorted((resources.files("fooldeap.data") / "audit").iterdir(), key=lambda file: file.name):
        said = reading.parse(file.read_text(encoding="utf-8"), file.name, Path.cwd()).data
        own = max(1, budget // said.get("one_part_in", 1))
        run = own * (classes if said["charged"] == "shared" else 1)
        if gradient or not said.get("white_box"):
            name = file.name.removesuffix(".yaml").partition("-")[2]
            keys = {**said, "experiment": fitted(said["experiment"], shape)}
            yield Attack(name=name, **keys, budget=own, run_budget=run)


def fitted(said: Any, shape: tuple[int, int, int]) -> Any:
    """Return what an attack's file says with its figures fitted to images (h, w, c).

    ``$waves`` are the lowest frequencies along each side, 8 or as many as there are. ``$contrast`` is what coefficients
    of frequencies are drawn with, which gives images of any size the same: 12.5 times the square root of their pixels.
    """
    if isinstance(said, Mapping):
        return {key: fitted(value, shape) for key, value in said.items()}
    height, width, _ = shape
    figures = {"$waves": min(WAVES, height, width), "$contrast": round(CONTRAST * math.sqrt(height * width), 1)}
    return figures.get(said, said) if isinstance(said, str) else said


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
        "on_error": "skip",
        "reporters": ["csv", "images"],
        "report": False,
    }
