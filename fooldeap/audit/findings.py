"""What came of the attacks: how many images each class took, and which share of the classes fell as these grew."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.audit.battery import GOAL, LEVELS, Attack
from fooldeap.audit.detection import Verdict
from fooldeap.errors import InputError
from fooldeap.results import FoolingImage
from fooldeap.storage.inputs import read_json


@dataclass(frozen=True)
class Try:
    """One class under one attack.

    ``images_to`` are those shown until the first one of each level of confidence, a class's share of them where one run
    bred for all; levels that were not reached are missing. ``image`` is the best one, uint8 (h, w, c).
    """

    attack: str
    target: int
    predicted: int
    confidence: float
    images_to: dict[float, int]
    image: NDArray[np.uint8] = field(repr=False)

    @property
    def fooling(self) -> bool:
        """Whether the best image is taken for the class with 50 % or more."""
        return self.predicted == self.target and self.confidence >= LEVELS[0]


class Attacked(NamedTuple):
    """What came of an attack: its classes, the seconds it took, the images it showed, and why runs failed, by label."""

    tries: list[Try]
    seconds: float
    shown: int
    failures: dict[str, str]


@dataclass(frozen=True)
class Judged:
    """What each score makes of so many fooling images."""

    fooling: int
    verdicts: dict[str, Verdict]


@dataclass(frozen=True)
class Detection:
    """Whether thresholds tell fooling images from real ones: over all attacks, and by attack.

    ``real`` counts the real images judged, ``reference`` those that distances are measured to; ``features`` says
    between what.
    """

    overall: Judged
    attacks: dict[str, Judged]
    real: int
    reference: int
    features: str


@dataclass(frozen=True)
class Findings:
    """An audit's outcome.

    ``real`` says which real images it had, as `RealImages.data` does; ``detection`` is None where there are none, or no
    fooling ones. ``seconds``, ``shown`` and ``failures`` are by attack: see `Attacked`.
    """

    title: str
    classifier: dict[str, Any]
    digest: str
    shape: tuple[int, int, int]
    seed: int
    budget: int
    names: dict[int, str]
    attacks: tuple[Attack, ...]
    tries: tuple[Try, ...]
    seconds: dict[str, float]
    shown: dict[str, int]
    failures: dict[str, dict[str, str]]
    real: dict[str, Any] | None
    detection: Detection | None

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes that were attacked."""
        return tuple(self.names)

    def of(self, attack: str, target: int) -> Try | None:
        """Return a class under an attack, None where no image was shown for it."""
        return next((each for each in self.tries if (each.attack, each.target) == (attack, target)), None)

    def fewest(self, target: int, level: float, *, white_box: bool = False) -> Try | None:
        """Return the attack that took the fewest images to a level, of those that see inside the classifier or not."""
        names = {attack.name for attack in self.attacks if attack.white_box == white_box}
        came = [each for each in self.tries if each.target == target and each.attack in names]
        reached = [each for each in came if level in each.images_to]
        return min(reached, key=lambda each: each.images_to[level], default=None)

    def costs(self, attack: str, level: float) -> list[int]:
        """Return the images that each class took under an attack, those that it reached, ascending."""
        return sorted(each.images_to[level] for each in self.tries if each.attack == attack and level in each.images_to)

    def lowest_costs(self, level: float) -> list[int]:
        """Return the images that each class took under the best of the attacks that see nothing inside, ascending."""
        best = [self.fewest(target, level) for target in self.classes]
        return sorted(each.images_to[level] for each in best if each is not None)


def attacked(folder: Path, attack: Attack, classes: Sequence[int]) -> Attacked:
    """Return what a finished run folder says of an attack."""
    path = folder / "result.json"
    try:
        said = read_json(path)
        tries = [_try(folder, attack, run, len(classes)) for run in said["runs"]]
        failures = {str(label): str(why) for label, why in said.get("failures", {}).items()}
        return Attacked(tries, float(said["seconds"]), int(said["evaluations"]), failures)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error}); remove its folder, and the attack is made again") from None


def _try(folder: Path, attack: Attack, run: dict[str, Any], classes: int) -> Try:
    counts = {float(level): int(count) for level, count in run["evaluations_to"].items()}
    if run["evaluations_to_goal"] is not None:
        counts[GOAL] = int(run["evaluations_to_goal"])
    image = FoolingImage.from_file(folder / f"images/{int(run['target'])}.png").pixels
    return Try(
        attack.name,
        int(run["target"]),
        int(run["predicted"]),
        float(run["confidence"]),
        {level: attack.charge(count, classes) for level, count in counts.items()},
        image,
    )
