"""The results of an audit: the evaluations that each attack needed for each class, and the detection by thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.audit.battery import GOAL, LEVELS, Attack
from fooldeap.audit.detection import DetectionScore
from fooldeap.errors import InputError, blaming_damage
from fooldeap.formatting import class_label
from fooldeap.results import MANY_TARGETS, FoolingImage
from fooldeap.storage.inputs import read_json


@dataclass(frozen=True)
class ClassResult:
    """The result of one attack for one class.

    Attributes
    ----------
    images_to : the evaluations charged to the class until the first image of each confidence level, without the levels
        that no image reached
    path : the file of the best image
    """

    attack: str
    target: int
    predicted: int
    confidence: float
    images_to: dict[float, int]
    path: Path

    @property
    def image(self) -> NDArray[np.uint8]:
        """The best image, uint8 (h, w, c). It is read from its file each time, because all images may be too large."""
        return FoolingImage.from_file(self.path).pixels

    @property
    def fooling(self) -> bool:
        """Whether the classifier gives the best image this class with at least 50 %."""
        return self.predicted == self.target and self.confidence >= LEVELS[0]


class AttackResult(NamedTuple):
    """The result of an attack: its class results, seconds, evaluations, and the errors of failed runs by run label."""

    results: list[ClassResult]
    seconds: float
    shown: int
    failures: dict[str, str]


@dataclass(frozen=True)
class DetectionResult:
    """The number of fooling images of a comparison, and a verdict on each score."""

    fooling: int
    verdicts: dict[str, DetectionScore]


@dataclass(frozen=True)
class Detection:
    """How well thresholds separate fooling images from real ones: over all attacks, and by attack.

    Attributes
    ----------
    real : number of scored real images
    reference : number of real images to which distances are measured
    features : the vectors between which distances are measured, in words
    """

    overall: DetectionResult
    attacks: dict[str, DetectionResult]
    real: int
    reference: int
    features: str


@dataclass(frozen=True)
class Findings:
    """The results of an audit.

    Attributes
    ----------
    budget : evaluations per class and attack
    names : the attacked classes and their labels
    seconds, shown, failures : by attack, see `AttackResult`
    real : the real images, as from `RealImages.data`; None without real images
    detection : None without real images or without fooling images
    left_out : attacks that need a gradient, if the classifier has none
    warnings : signs that the classifier was loaded wrongly
    class_names : the names of all classes of the classifier; empty if it has none
    """

    title: str
    classifier: dict[str, Any]
    digest: str
    shape: tuple[int, int, int]
    seed: int
    budget: int
    names: dict[int, str]
    attacks: tuple[Attack, ...]
    results: tuple[ClassResult, ...]
    seconds: dict[str, float]
    shown: dict[str, int]
    failures: dict[str, dict[str, str]]
    real: dict[str, Any] | None
    detection: Detection | None
    left_out: tuple[Attack, ...] = ()
    warnings: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    @property
    def has_many_classes(self) -> bool:
        """Whether there are more than 20 classes, so that reports begin with a summary."""
        return len(self.names) > MANY_TARGETS

    @property
    def classes(self) -> tuple[int, ...]:
        """The attacked classes."""
        return tuple(self.names)

    def label(self, target: int) -> str:
        """Return the number of a class of the classifier, followed by its name if it has one."""
        return self.names.get(target) or class_label(target, self.class_names)

    def get(self, attack: str, target: int) -> ClassResult | None:
        """Return the result of an attack for a class; None if the attack made no image for it."""
        return self._by_class.get(target, {}).get(attack)

    @cached_property
    def _by_class(self) -> dict[int, dict[str, ClassResult]]:
        """The results by class and attack."""
        found: dict[int, dict[str, ClassResult]] = {}
        for each in self.results:
            found.setdefault(each.target, {})[each.attack] = each
        return found

    def _of_class(self, target: int, white_box: bool | None = None) -> list[ClassResult]:
        """Return the results for a class: of all attacks, or only of white-box or of black-box attacks."""
        names = [attack.name for attack in self.attacks if white_box in (None, attack.white_box)]
        return [each for name in names if (each := self.get(name, target)) is not None]

    def cheapest(self, target: int, level: float, *, white_box: bool = False) -> ClassResult | None:
        """Return the result with the fewest evaluations to a level for a class; None if no attack reached the level.

        The result is that of a black-box attack, or of a white-box attack if ``white_box`` is true.
        """
        reached = [each for each in self._of_class(target, white_box) if level in each.images_to]
        return min(reached, key=lambda each: each.images_to[level], default=None)

    def best(self, target: int, *, white_box: bool | None = None) -> ClassResult | None:
        """Return the result with the highest confidence in a class; None if no attack made an image for it.

        With ``white_box``, only white-box attacks count, or only black-box attacks.
        """
        return max(self._of_class(target, white_box), key=lambda each: each.confidence, default=None)

    def best_confidence(self, target: int, *, white_box: bool | None = None) -> float:
        """Return the highest confidence in a class; 0 if no attack made an image for it."""
        best = self.best(target, white_box=white_box)
        return 0.0 if best is None else best.confidence

    def of_attack(self, attack: str) -> list[ClassResult]:
        """Return the results of an attack for all classes."""
        return [each for each in self.results if each.attack == attack]

    def costs(self, attack: str, level: float) -> list[int]:
        """Return the evaluations that an attack needed for each class in which it reached a level, ascending."""
        return sorted(each.images_to[level] for each in self.of_attack(attack) if level in each.images_to)

    def lowest_costs(self, level: float) -> list[int]:
        """Return the evaluations of the best black-box attack on each class that was reached, ascending."""
        best = [self.cheapest(target, level) for target in self.classes]
        return sorted(each.images_to[level] for each in best if each is not None)


def read_attack(folder: Path, attack: Attack, classes: Sequence[int]) -> AttackResult:
    """Read the result of an attack from its finished run folder.

    Raises
    ------
    InputError
        A file of the folder is damaged.
    """
    path = folder / "result.json"
    with blaming_damage(path, "remove its folder to repeat the attack"):
        content = read_json(path)
        results = [_read_class(folder, attack, run, len(classes)) for run in content["runs"]]
        failures = {str(label): str(error) for label, error in content.get("failures", {}).items()}
        return AttackResult(results, float(content["seconds"]), int(content["evaluations"]), failures)


def _read_class(folder: Path, attack: Attack, run: dict[str, Any], classes: int) -> ClassResult:
    counts = {float(level): int(count) for level, count in run["evaluations_to"].items()}
    if run["evaluations_to_goal"] is not None:
        counts[GOAL] = int(run["evaluations_to_goal"])
    path = folder / f"images/{int(run['target'])}.png"
    if not path.is_file():
        raise InputError(f"{path}: is missing; remove the folder {folder} to repeat the attack")
    return ClassResult(
        attack.name,
        int(run["target"]),
        int(run["predicted"]),
        float(run["confidence"]),
        {level: attack.charge(count, classes) for level, count in counts.items()},
        path,
    )
