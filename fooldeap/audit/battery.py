"""The attacks of an audit: the same experiments for every classifier, adapted to the size of its images.

Each attack is defined by a file ``fooldeap/data/audit/NUMBER-NAME.yaml``. The attacks run in the order of these
numbers. To add an attack, add a file with these keys:

- ``what``: a description of the attack
- ``charged``: how evaluations are counted for a class. ``own``: each class has a run of its own and is charged that
  run's evaluations; ``shared``: one run pursues all classes, and each class is charged an equal share; ``common``: each
  evaluation of one run counts for every class
- ``white_box``: whether the attack uses gradients of the classifier (default: false)
- ``one_part_in``: the attack gets the budget divided by this number (default: 1)
- ``experiment``: the keys of the experiment file that differ between attacks. The value ``$waves`` is replaced by a
  number that depends on the image size, see `fit_to_images`
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from fooldeap.configuration import reading
from fooldeap.results import MANY_TARGETS

GOAL = 0.9999
LEVELS = (0.5, 0.9, 0.99, GOAL)  # confidences that the report shows
GENERATIONS_PER_EVALUATION = 4  # a limit so high that the budget ends every run
WAVES = 8  # number of lowest frequencies along each side of an image


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack.

    Attributes
    ----------
    name : from the file name; also the name of the run folder
    budget : evaluations per class
    run_budget : evaluations per run; a run may pursue all classes
    others : the keys of the attack file
    """

    name: str
    what: str
    experiment: Mapping[str, Any]
    budget: int
    run_budget: int
    charged: Literal["own", "shared", "common"]
    white_box: bool = False
    one_part_in: int = 1

    def charge(self, evaluations: int, classes: int) -> int:
        """Return how many of a run's evaluations are charged to each of its classes."""
        return math.ceil(evaluations / classes) if self.charged == "shared" else evaluations


def load_attacks(shape: tuple[int, int, int], classes: int, budget: int) -> Iterator[Attack]:
    """Yield the attacks on a classifier. White-box attacks need a gradient.

    Parameters
    ----------
    shape : of the classifier's images, (h, w, c)
    classes : number of attacked classes
    budget : evaluations per class and attack
    """
    for file in sorted((resources.files("fooldeap.data") / "audit").iterdir(), key=lambda file: file.name):
        keys = reading.parse(file.read_text(encoding="utf-8"), file.name, Path.cwd()).data
        class_budget = max(1, budget // keys.get("one_part_in", 1))
        run_budget = class_budget * (classes if keys["charged"] == "shared" else 1)
        name = file.name.removesuffix(".yaml").partition("-")[2]
        keys = {**keys, "experiment": fit_to_images(keys["experiment"], shape)}
        yield Attack(name=name, **keys, budget=class_budget, run_budget=run_budget)


def fit_to_images(value: Any, shape: tuple[int, int, int]) -> Any:
    """Replace ``$waves`` in a value of an attack file by the number of lowest frequencies along each side of an image.

    It is 8, or fewer if the height or width is smaller. ``shape`` is (h, w, c).
    """
    if isinstance(value, Mapping):
        return {key: fit_to_images(each, shape) for key, each in value.items()}
    return min(WAVES, *shape[:2]) if value == "$waves" else value


def experiment_data(
    attack: Attack, classifier: Mapping[str, Any], seed: int, targets: list[int], dataset: Any = None
) -> dict[str, Any]:
    """Return the content of the experiment file of an attack."""
    return {
        "name": attack.name,
        "seed": seed,
        "targets": targets,
        "classifier": dict(classifier),
        "dataset": dataset,
        **attack.experiment,
        "stop": {
            "confidence": GOAL,
            "evaluations": attack.run_budget,
            "generations": GENERATIONS_PER_EVALUATION * attack.run_budget,
        },
        "on_error": "skip",
        "reporters": ["csv"] if len(targets) > MANY_TARGETS else ["csv", "images"],
        "report": False,
    }
