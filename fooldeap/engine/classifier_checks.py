"""Checks of a loaded classifier. A failed check is a warning that it was probably loaded wrongly, with the cure.

Each check is a function that returns a warning or None. `warnings_about` calls all of them. A billable classifier is
shown no images, so it is not checked.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fooldeap.engine.calibration import BY_CHANCE, Calibration
from fooldeap.engine.evaluation import ROWS, Evaluator
from fooldeap.errors import FooldeapError
from fooldeap.formatting import percent, proportion
from fooldeap.plugin import Classifier, Images, Predictions, Split

FAR_APART = 300  # between logits of noise; a softmax in float32 is 0 or 1 if they differ by 104
BADLY_LOADED = 0.5  # if the accuracy is lower, the model was probably loaded wrongly
ACCURACY_IMAGES, FEWER_IMAGES = 2000, 500  # for the classifier as configured, and with each other preprocessing
MARGIN = 0.03  # minimum gain in accuracy before another preprocessing is suggested
PROBES = 64
FEWEST_SORTED = 3  # classes
SAME = 1e-5  # relative difference of outputs that count as equal
ROUNDING = 1e-5  # of confidences
INFERENCE = "switch it to inference (PyTorch: model.eval(); Keras: training=False)"
STATIC = (
    "the model is quantised dynamically, so it rounds values to steps that depend on the whole batch: quantise it "
    "statically (onnxruntime.quantization.quantize_static), or use the model before quantisation"
)
ALONE = 4  # images that are shown alone


@dataclass(frozen=True)
class Subject:
    """A classifier to check.

    Attributes
    ----------
    calibration : of the classifier
    data : labelled images, or None
    """

    evaluator: Evaluator
    calibration: Calibration
    data: Split | None

    @functools.cached_property
    def accuracy(self) -> float | None:
        """The accuracy on at most 2000 test images. None without a dataset, or if the classifier is billable."""
        if self.data is None or self.evaluator.billable:
            return None
        return float(np.mean(self.test_logits.argmax(axis=1) == self.data.test_labels[:ACCURACY_IMAGES]))

    @functools.cached_property
    def test_logits(self) -> NDArray[np.float32]:
        """The logits of at most 2000 test images."""
        assert self.data is not None
        return self.evaluator.probe_logits(self.data.test_images[:ACCURACY_IMAGES])

    def confidences(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the confidence in each class, (n, classes)."""
        images = np.empty((len(logits), 0, 0, 0), np.uint8)
        return Predictions(logits, images, self.evaluator.confidence_kind).probabilities

    def has_key(self, name: str) -> bool:
        """Return whether the classifier's plugin has a parameter."""
        return hasattr(self.evaluator.classifier, name)


def warnings_about(subject: Subject) -> list[str]:
    """Return the warnings of all checks."""
    if subject.evaluator.billable:
        return []
    return [text for check in CHECKS if (text := check(subject)) is not None]


def constant_output(subject: Subject) -> str | None:
    """Warn if all images get the same output."""
    if not _all_equal(subject.calibration.noise):
        return None
    images = _probe_images(subject.evaluator.classifier.input_shape)
    if subject.data is not None:
        images = np.concatenate([images[: PROBES // 2], subject.data.test_images[: PROBES // 2]])
    logits = subject.evaluator.probe_logits(images)
    if not _all_equal(logits):
        return None
    return (
        f"the classifier gives the same output for all {len(images)} probe images (black, white, noise and shapes), so "
        "no image can fool it, and an attack says nothing about its robustness; check that its weights are loaded and "
        "its input range"
    )


def unit_logits(subject: Subject) -> str | None:
    """Warn if the user says that outputs are logits, and all of them lie in 0..1."""
    noise, classes = subject.calibration.noise, subject.evaluator.classifier.classes
    if getattr(subject.evaluator.classifier, "outputs", None) != "logits" or not len(noise):
        return None
    if noise.min() < 0 or noise.max() > 1:
        return None
    most = np.e / (np.e + classes - 1)
    return (
        f"'outputs: logits' is set, and all outputs for {len(noise)} probe images lie between {noise.min():.3g} and "
        f"{noise.max():.3g}; a softmax over values in 0..1 cannot exceed {percent(most)}, so no class can be reached; "
        "if each number is the probability of its class, set 'outputs: sigmoid'"
    )


def bounded_logits(subject: Subject) -> str | None:
    """Warn if all outputs lie in -1..1, as those of tanh and cosine similarities, and no activation was removed."""
    noise, classifier = subject.calibration.noise, subject.evaluator.classifier
    kind, classes = subject.evaluator.confidence_kind, classifier.classes
    if kind == "probability" or getattr(classifier, "removes_activation", False) or not _within(noise, -1, 1):
        return None
    logits = subject.evaluator.probe_logits(_probe_images(classifier.input_shape))
    if not _within(logits, -1, 1) or _all_equal(logits) or unit_logits(subject) is not None:
        return None
    most = np.e**2 / (np.e**2 + classes - 1) if kind == "softmax" else np.e / (np.e + 1)
    return (
        f"all outputs for {len(noise) + len(logits)} probe images lie between -1 and 1; if the model cannot leave this "
        f"range, as with tanh or cosine similarities, the {kind} of its outputs cannot exceed {percent(most)}, and a "
        "low confidence does not mean that it is robust: multiply the outputs by the factor used in training, in "
        "the model or in a function"
    )


def sorted_logits(subject: Subject) -> str | None:
    """Warn if the outputs of every image are sorted, as those of top-k: a place is then no class."""
    logits = subject.calibration.noise
    if logits.shape[-1] < FEWEST_SORTED or len(logits) < 2 or not _are_sorted(logits) or _all_equal(logits):
        return None
    # A classifier may give noise the same order of a few classes each time, so other images are shown too.
    more = [subject.evaluator.probe_logits(_probe_images(subject.evaluator.classifier.input_shape))]
    more += [] if subject.data is None else [subject.test_logits]
    if not _are_sorted(np.concatenate([logits, *more])):
        return None
    choose = ", or choose them: 'output: NAME'" if subject.has_key("output") else ""
    count = len(logits) + sum(map(len, more))
    return (
        f"the outputs for all {count} probe images are sorted, as those of top-k are; if the model sorts them, an "
        f"output belongs to a rank and not to a class: return the scores before they are sorted{choose}"
    )


def _are_sorted(logits: NDArray[np.float32]) -> bool:
    """Return whether the outputs of every image are in descending order, or those of every image in ascending order."""
    steps = np.diff(logits, axis=1)
    return bool((steps <= 0).all() or (steps >= 0).all())


def _within(logits: NDArray[np.float32], low: float, high: float) -> bool:
    return len(logits) > 0 and bool(logits.min() >= low and logits.max() <= high)


def extreme_logits(subject: Subject) -> str | None:
    """Warn if a model is far too confident on noise: it was probably trained on another range of pixels.

    A model trained on 0..1 may be as accurate on 0..255, because its layers are mostly linear, but every confidence is
    then 0 or 1.
    """
    noise = subject.calibration.noise[:, targets_of(subject.evaluator.classifier)]
    apart = float(np.median(np.ptp(noise, axis=1))) if len(noise) else 0.0
    if apart <= FAR_APART:
        return None
    cure = "set 'input_range: [0, 1]'" if subject.has_key("input_range") else "scale them"
    return (
        f"the logits of an image of noise lie {apart:,.0f} apart, so every confidence is all or nothing: if the "
        f"classifier was trained on other pixels than 0..255, {cure}"
    )


def low_accuracy(subject: Subject) -> str | None:
    """Warn if another preprocessing gives a better accuracy on the dataset, or if the accuracy is very low."""
    own, data, evaluator = subject.accuracy, subject.data, subject.evaluator
    if own is None or data is None:
        return None
    right = f"the classifier is correct on {proportion(own)} of {len(data.test_images[:ACCURACY_IMAGES])} test images"
    if own < 1 - MARGIN and (alternatives := getattr(evaluator.classifier, "alternatives", None)):
        found = {key: _accuracy_as(evaluator, other, data) for key, other in alternatives()}
        best = max(found, key=found.__getitem__, default="")
        labels = data.test_labels[:FEWER_IMAGES]
        fewer = float(np.mean(subject.test_logits[:FEWER_IMAGES].argmax(axis=1) == labels))
        if best and found[best] >= fewer + MARGIN:
            count = len(labels)
            return f"{right}, and on {proportion(found[best])} of {count} with other pixels; set '{best}'"
    if own >= BADLY_LOADED:
        return None
    return f"{right}{_other_reading(subject, data)}"


def _other_reading(subject: Subject, data: Split) -> str:
    """Return which other reading of the outputs or the images is right, with the cure, in words."""
    images, labels = data.test_images[:FEWER_IMAGES], data.test_labels[:FEWER_IMAGES]
    inverted = subject.evaluator.probe_logits(255 - images)
    readings = {
        "its smallest output is right": (subject.test_logits[:FEWER_IMAGES].argmin(axis=1), "-outputs"),
        "with inverted colours it is correct": (inverted.argmax(axis=1), "its outputs for 255 - images"),
    }
    for reading, (answers, cure) in readings.items():
        share = float(np.mean(answers == labels))
        if share >= BADLY_LOADED:
            return f", and {reading} on {proportion(share)} of {len(images)}; return {cure} from a function or a model"
    return ": it was probably loaded wrongly; check its input range and its class order"


def _accuracy_as(evaluator: Evaluator, other: Classifier, data: Split) -> float:
    """Return the accuracy of the classifier with other preprocessing. Its images count as probes of the evaluator."""
    trial = Evaluator(other)
    trial.rows, trial.multiple = evaluator.rows, evaluator.multiple
    try:
        logits = trial.probe_logits(data.test_images[:FEWER_IMAGES])
        return float(np.mean(logits.argmax(axis=1) == data.test_labels[:FEWER_IMAGES]))
    except FooldeapError:  # some models overflow on other pixels
        return 0.0
    finally:
        evaluator.queries.add(trial.queries)


def dependent_answers(subject: Subject) -> str | None:
    """Warn if the answer to an image depends on its batch or on chance."""
    match subject.calibration.depends_on:
        case "image":
            return None
        case "chance":
            return (
                f"{BY_CHANCE} (added noise? dropout left on?), so no result of it can be reproduced: a resumed run "
                "ends in other bits, and verify does not hold; runs are evaluated one by one; if the model was saved "
                f"in training mode, {INFERENCE} before it is saved"
            )
    return (
        f"this classifier's answer to an image depends on the rest of its batch{_batch_effect(subject)}; results "
        "report the final image alone; runs are evaluated one by one"
    )


def _batch_effect(subject: Subject) -> str:
    """Return how much the confidences of probe images change if each is shown alone, in words, with the cure."""
    images = _probe_images(subject.evaluator.classifier.input_shape)[-ROWS:]
    together = subject.confidences(subject.evaluator.probe(images))
    try:
        alone = [subject.evaluator.probe(images[row : row + 1]) for row in range(ALONE)]
    except FooldeapError as error:
        return f", and it fails on an image alone ({error}), so results report the image in its batch"
    changes = np.abs(subject.confidences(np.concatenate(alone)) - together[:ALONE])
    row, target = np.unravel_index(changes.argmax(), changes.shape)
    if changes[row, target] < ROUNDING:
        most = changes.max()
        return f" by rounding only{f' (confidences change by {most:.1g} at most)' if most else ''}"
    dynamic = getattr(subject.evaluator.classifier, "quantized_dynamically", False)
    return (
        f": a probe image has {percent(together[row, target])} for class {target} in a batch of {ROWS}, and "
        f"{percent(subject.confidences(alone[row])[0, target])} alone; "
        f"{STATIC if dynamic else f'if the model is in training mode, {INFERENCE}'}"
    )


CHECKS = (
    constant_output,
    unit_logits,
    bounded_logits,
    sorted_logits,
    extreme_logits,
    low_accuracy,
    dependent_answers,
)


def targets_of(classifier: Classifier) -> list[int]:
    """Return the possible target classes: all except the rejection class."""
    rejection = getattr(classifier, "rejection", None)
    return [each for each in range(classifier.classes) if each != rejection]


def _all_equal(logits: NDArray[np.float32]) -> bool:
    """Return whether all rows are equal up to rounding. Without rows, return False."""
    return len(logits) > 1 and bool((np.ptp(logits, axis=0) <= SAME * (1 + np.abs(logits).max(axis=0))).all())


def _probe_images(shape: tuple[int, int, int]) -> Images:
    """Return diverse images, uint8 (64, h, w, c): black, white, gradients, rectangles and noise. Always the same."""
    rng, (height, width, channels) = np.random.default_rng(2), shape
    images = rng.integers(0, 256, (PROBES, *shape), dtype=np.uint8)
    images[0], images[1] = 0, 255
    images[2], images[3] = np.linspace(0, 255, height)[:, None, None], np.linspace(0, 255, width)[None, :, None]
    for image in images[4 : PROBES // 2]:
        image[:] = rng.integers(0, 256, channels)
        top, left = rng.integers(0, height), rng.integers(0, width)
        image[top : top + height // 2 + 1, left : left + width // 2 + 1] = rng.integers(0, 256, channels)
    return images
