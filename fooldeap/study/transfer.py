"""Show the images of a study with several classifiers to each of the classifiers."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.evaluation import Evaluator
from fooldeap.formatting import as_csv
from fooldeap.plugin import Array, Predictions
from fooldeap.study.outcome import Outcome, RunRow
from fooldeap.study.stats import Estimate, success_rate


class TransferImage(NamedTuple):
    """The answer of a classifier to the image of a run, which may have been evolved on another classifier."""

    run: RunRow
    classifier: str
    predicted: int
    confidence: float  # in the run's target


class Cell(NamedTuple):
    """The answers of one classifier to the images of a variant that reached the goal. Shares have Wilson's interval."""

    variant: str
    classifier: str
    own: bool
    images: int
    taken: Estimate  # share of the images predicted as the target
    at_99: Estimate
    at_9999: Estimate
    confidence: float  # median


@dataclass(frozen=True)
class Transfer:
    """The answers of every classifier of a study to every image of the study.

    Parameters
    ----------
    classifiers : the labels of the classifiers, sorted
    evolved_on : by variant, the label of the classifier that its images were evolved on
    shown : the answers, sorted by run, then classifier
    """

    classifiers: tuple[str, ...]
    evolved_on: Mapping[str, str]
    shown: tuple[TransferImage, ...]

    def cells(self) -> list[Cell]:
        """Return one cell for each variant and classifier."""
        return [self._cell(variant, name) for variant in sorted(self.evolved_on) for name in self.classifiers]

    def _cell(self, variant: str, classifier: str) -> Cell:
        shown = [
            each
            for each in self.shown
            if each.run.variant == variant and each.classifier == classifier and each.run.evaluations_to_goal
        ]
        confidence = np.array([each.confidence for each in shown])
        return Cell(
            variant,
            classifier,
            own=self.evolved_on[variant] == classifier,
            images=len(shown),
            taken=_share(np.array([each.predicted == each.run.target for each in shown], bool)),
            at_99=_share(confidence >= 0.99),
            at_9999=_share(confidence >= 0.9999),
            confidence=float(np.median(confidence)) if shown else float("nan"),
        )

    def csv(self) -> str:
        """Return ``transfer.csv``: one row for each image and classifier."""
        rows: list[list[object]] = [
            ["variant", "target", "seed", "evolved_on", "reached", "shown_to", "predicted", "taken", "confidence"]
        ]
        for run, classifier, predicted, confidence in self.shown:
            reached, taken = run.evaluations_to_goal is not None, predicted == run.target
            own = self.evolved_on[run.variant]
            rows.append([*run.key, own, reached, classifier, predicted, taken, repr(confidence)])
        return as_csv(rows)


Recorder = Callable[[Evaluator], AbstractContextManager[object]]


def show_images(
    outcome: Outcome, groups: Sequence[Mapping[str, Experiment]], recorder: Recorder = contextlib.nullcontext
) -> Transfer | None:
    """Show every image to the classifier of every group of variants; None if there is only one group or no image.

    ``groups`` has, for each classifier, its variants with their experiments. ``recorder`` records the queries; see
    `Folder.recording`.
    """
    if len(groups) < 2 or not outcome.runs:
        return None
    labels = _label_classifiers(groups)
    found = [
        each for label, group in zip(labels, groups, strict=True) for each in _show_to(label, group, outcome, recorder)
    ]
    return Transfer(
        classifiers=tuple(sorted(labels)),
        evolved_on={
            name: label
            for label, group in zip(labels, groups, strict=True)
            for name in group
            if name in outcome.variants
        },
        shown=tuple(sorted(found, key=lambda each: (each.run.key, each.classifier))),
    )


def _show_to(label: str, group: Mapping[str, Experiment], outcome: Outcome, recorder: Recorder) -> list[TransferImage]:
    classifier = next(iter(group.values())).build_classifier()
    runs = [run for run in outcome.runs if outcome.images[run.key].shape == classifier.input_shape]
    images = np.array([outcome.images[run.key] for run in runs])
    if not runs:
        return []
    evaluator = Evaluator(classifier)
    with recorder(evaluator):
        logits = evaluator.probe_logits(images)
    probabilities = Predictions(logits, images, evaluator.confidence_kind).probabilities
    return [
        TransferImage(run, label, int(row.argmax()), float(row[run.target]))
        for run, row in zip(runs, probabilities, strict=True)
        if run.target < classifier.classes
    ]


def _label_classifiers(groups: Sequence[Mapping[str, Experiment]]) -> list[str]:
    """Return a label for the classifier of each group.

    The label is the only part that the names of its variants share and that no other group shares. Without such a part
    it is the name of the model.
    """
    words = [frozenset.intersection(*(frozenset(name.split("+")) for name in group)) for group in groups]
    own = [sorted(each.difference(*words[:index], *words[index + 1 :])) for index, each in enumerate(words)]
    if all(len(each) == 1 for each in own):
        return [each for (each,) in own]
    models = [name_classifier(next(iter(group.values()))) for group in groups]
    return [f"{model}-{index}" if models.count(model) > 1 else model for index, model in enumerate(models, 1)]


def name_classifier(experiment: Experiment) -> str:
    """Return the name of the model of an experiment, or of its plugin."""
    choice = experiment.classifier
    return Path(str(choice.values.get("model", choice.plugin.name))).stem


def _share(kept: Array) -> Estimate:
    """Return the share of true values with Wilson's interval; without values, NaN with the interval [0, 1]."""
    return success_rate([np.where(kept, 1.0, np.inf)]) if len(kept) else Estimate(float("nan"), 0.0, 1.0)
