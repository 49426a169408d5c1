"""A classifier that was probably loaded wrongly is warned of, with measured numbers and the key to set."""

import json
import re
import warnings

import numpy as np
import pytest

import fooldeap
from fooldeap.audit.session import audit
from fooldeap.engine.calibration import Calibration
from fooldeap.engine.classifier_checks import Subject, warnings_about
from fooldeap.engine.evaluation import Evaluator
from fooldeap.errors import FooldeapWarning
from fooldeap.formatting import percent
from fooldeap.plugin import Split
from fooldeap.results import FoolingImage

SHAPE = (8, 8, 1)
WEIGHTS = np.random.default_rng(0).normal(0, 0.02, (64, 5)).astype(np.float32)
FEW = {"stop": {"confidence": 0.9, "evaluations": 400}, "quiet": True}


class Own:
    """A linear classifier with changes."""

    input_shape, classes, digest = SHAPE, 5, "own"

    def __init__(self, change=lambda scores: scores, **attributes):
        self.change = change
        self.__dict__.update(attributes)

    def logits(self, images):
        scores = images.reshape(len(images), -1).astype(np.float32) @ WEIGHTS
        return self.change(scores).astype(np.float32)


def normalised(scores):
    """Batch normalisation in training mode."""
    return 3 * (scores - scores.mean(axis=0)) / np.sqrt(scores.var(axis=0) + 1e-3)


def said(classifier, **settings):
    """Return the warnings about a classifier."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fooldeap.fool(classifier, 1, **{**FEW, **settings})
    return [str(each.message) for each in caught if issubclass(each.category, FooldeapWarning)]


def test_good_classifier_gets_no_warning():
    assert said(Own()) == []


@pytest.mark.parametrize("jitter", [0, 1e-7])
def test_constant_output_is_warned_of(jitter):
    (text,) = said(Own(lambda scores: np.tile([1, 2, 3, 4, 5], (len(scores), 1)) + jitter * scores))
    assert text.startswith("the classifier gives the same output for all 64 probe images")


def test_output_that_is_constant_on_noise_only_is_not_called_constant():
    assert said(Own(lambda scores: np.where(np.abs(scores).max(axis=1, keepdims=True) < 1e-9, scores, 7.0))) == []


def test_logits_between_0_and_1_are_warned_of_with_the_key_to_set():
    (text,) = said(Own(lambda scores: 1 / (1 + np.exp(-scores)), outputs="logits"))
    assert "cannot exceed 40.46" in text  # e / (e + 4)
    assert text.endswith("set 'outputs: sigmoid'")


def test_outputs_of_tanh_and_cosine_are_warned_of_with_their_greatest_confidence():
    (text,) = said(Own(lambda scores: np.tanh(scores)))
    assert "the softmax of its outputs cannot exceed 64.87" in text  # e^2 / (e^2 + 4)
    (text,) = said(Own(lambda scores: scores / np.linalg.norm(scores, axis=1, keepdims=True).clip(1)))
    assert "multiply the outputs by the factor used in training" in text
    (text,) = said(Own(lambda scores: np.tanh(scores), confidence_kind="sigmoid"))
    assert "the sigmoid of its outputs cannot exceed 73.10" in text
    assert said(Own(lambda scores: 30 * np.tanh(scores))) == []  # the cure
    assert said(Own(lambda scores: np.tanh(scores), removes_activation=True)) == []  # as its own softmax says


def test_sorted_outputs_are_warned_of():
    for classes in (3, 4, 5):
        for change in (lambda scores: np.sort(scores, axis=1), lambda scores: -np.sort(-scores, axis=1)):
            own = Own(lambda scores, change=change, classes=classes: change(scores[:, :classes]))
            own.classes = classes
            (text,) = said(own)
            assert "are sorted, as those of top-k are" in text
            assert "output: NAME" not in text  # this classifier has no such key


def test_outputs_that_are_in_order_for_noise_alone_are_not_called_sorted():
    class Bright(Own):
        classes = 3

        def logits(self, images):
            apart = images.mean(axis=(1, 2, 3))[:, None] / 10 - 5
            return (super().logits(images)[:, :3] / 100 + apart * [1, 0, -1]).astype(np.float32)

    noise = np.random.default_rng(0).integers(0, 256, (64, *SHAPE), dtype=np.uint8)
    assert (np.diff(Bright().logits(noise), axis=1) < 0).all()
    assert said(Bright()) == []


def test_confidence_of_the_final_image_is_that_of_the_image_alone():
    """The case of BatchNorm in training mode: .999 in its batch, another value alone."""

    def half(scores):
        return (
            0.5 * normalised(np.concatenate([scores, -scores]))[: len(scores)]
            if len(scores) == 1
            else (normalised(scores))
        )

    classifier = Own(half)
    with pytest.warns(FooldeapWarning, match=r"in a batch of 32, and [\d.]+ % alone; .*model\.eval\(\)"):
        result = fooldeap.fool(classifier, [1, 3], **FEW)
    for run in result:
        scores = classifier.logits(run.image.pixels[None])[0].astype(float)
        own = np.exp(scores) / np.exp(scores).sum()
        assert run.confidence == pytest.approx(own[run.target], abs=1e-7)
        assert run.predicted == own.argmax()
        assert max(row.confidence for row in run.log) >= 0.9 > own[run.target]  # in its batch
        assert not run.reached
        assert run.evaluations_to.keys() <= {"0.5"}
        np.testing.assert_array_equal(run.snapshots[-1].logits, classifier.logits(run.image.pixels[None])[0])


@pytest.mark.parametrize("executor", ["serial", {"name": "scoop", "workers": 1, "mode": "runs"}])
def test_image_is_also_evaluated_alone_by_workers_and_verified(executor, tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "WEIGHTS = np.random.default_rng(0).normal(0, 0.02, (64, 5))\n"
        "def scores(images):\n"
        "    found = images.reshape(len(images), -1) @ WEIGHTS\n"
        "    return 3 * (found - found.mean(axis=0)) / np.sqrt(found.var(axis=0) + 1e-3)\n"
    )
    function = {"name": "callable", "function": f"{tmp_path / 'own.py'}:scores", "shape": list(SHAPE), "classes": 5}
    with pytest.warns(FooldeapWarning, match="depends on the rest of its batch"):
        result = fooldeap.run(
            {"classifier": function, "targets": [1, 3], "executor": executor}, out=tmp_path / "run", **FEW
        )
    for run in result:
        assert run.confidence == pytest.approx(0.2)  # alone, the batch norm of one image is 0 for every class
    with pytest.warns(FooldeapWarning, match="depends on the rest of its batch"):
        assert fooldeap.verify(tmp_path / "run", sample=2).reproduced


def test_model_that_fails_on_a_single_image_reports_the_image_in_its_batch():
    def change(scores):
        if len(scores) == 1:
            raise ValueError("Expected more than 1 value per channel when training")
        return normalised(scores)

    (text,) = said(Own(change))
    assert "fails on an image alone" in text
    assert "Expected more than 1 value per channel" in text


def test_difference_by_rounding_is_called_rounding():
    (text,) = said(Own(lambda scores: scores.round() * (1 + 1e-6 * (len(scores) > 64))))
    assert "depends on the rest of its batch by rounding only; results" in text  # equal in batches of 1 and 32
    (text,) = said(Own(lambda scores: scores * (1 + 1e-6 * (len(scores) > 1) + 1e-6 * (len(scores) > 64))))
    assert re.search(r"by rounding only \(confidences change by \de-\d+ at most\); results", text)


def test_billable_classifier_is_shown_no_probes():
    class Refusing(Own):
        billable = True

        def logits(self, images):
            raise AssertionError("it was shown an image")

    evaluator = Evaluator(Refusing())
    calibration = Calibration("image", 32, np.empty((0, 5), np.float32))
    assert warnings_about(Subject(evaluator, calibration, None)) == []
    assert evaluator.queries.probes == 0


def test_low_accuracy_of_a_classifier_without_preprocessing_is_warned_of():
    images = np.random.default_rng(1).integers(0, 256, (90, *SHAPE), dtype=np.uint8)
    labels = Own().logits(images).argmax(axis=1)
    evaluator = Evaluator(Own())
    calibration = Calibration("image", 32, evaluator.probe(images[:64]))
    right, wrong = (
        Subject(evaluator, calibration, Split(images, own, images, own)) for own in (labels, (labels + 1) % 5)
    )
    assert (right.accuracy, warnings_about(right)) == (1, [])
    (text,) = warnings_about(wrong)
    assert text.startswith(
        "the classifier is correct on 0 % of 90 test images: it was probably loaded wrongly; check its input"
    )


class Levels(Own):
    """A classifier of five levels of brightness."""

    def logits(self, images):
        apart = np.abs(images.mean(axis=(1, 2, 3))[:, None] - [25, 75, 125, 175, 225])
        return self.change(-apart).astype(np.float32)


@pytest.mark.parametrize(
    ("cure", "corrected"),
    [
        ("return -outputs from", lambda own, images: -own.logits(images)),
        ("return its outputs for 255 - images from", lambda own, images: own.logits(255 - images)),
    ],
)
def test_distances_and_inverted_colours_are_found_with_a_dataset(cure, corrected):
    own = Levels()
    images = (
        np.random.default_rng(1).integers(0, 256, (90, 1, 1, 1), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    )
    labels = corrected(own, images).argmax(axis=1)
    evaluator = Evaluator(own)
    subject = Subject(evaluator, Calibration("image", 32, evaluator.probe(images[:64])), Split(*[images, labels] * 2))
    (text,) = warnings_about(subject)
    assert cure in text
    assert "on 100 % of 90" in text


def test_audit_of_a_constant_classifier_does_not_call_it_robust(tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\ndef constant(images):\n    return np.tile([0.1, 0.2, 0.3, 0.4], (len(images), 1))\n"
    )
    overrides = ("classifier.shape=[8,8,1]", "classifier.classes=4")
    with pytest.warns(FooldeapWarning, match="the same output for all 64 probe images"):
        folder = audit(f"{tmp_path / 'own.py'}:constant", *overrides, budget=60, out=tmp_path / "audit", quiet=True)
    text = (folder / "report.md").read_text()
    summary = text.split("\n\n")[1]
    assert summary.startswith("Warning: the classifier gives the same output for all 64 probe images")
    assert "the numbers say nothing about the robustness of the classifier" in summary
    assert "gradient: left out, because it needs a gradient, which this classifier does not have." in text
    data = json.loads((folder / "audit.json").read_text())
    assert data["left_out"] == [{"name": "gradient", "why": "it needs a gradient, which this classifier does not have"}]
    assert len(data["warnings"]) == 1
    for each in data["classes"]:
        target = each["class"]
        (confidence,) = {attack["confidence"] for attack in each["attacks"].values()}
        assert confidence == pytest.approx(0.1 * (target + 1))
        row = rf"\| {target} \| .*\| {re.escape(percent(confidence))} \|\n"
        assert re.search(row, text), "the best confidence, where no threshold was reached"
    assert "robustness of the classifier" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_audit_shows_the_confidence_of_its_images(tmp_path):
    folder = audit("mnist_lenet", budget=40, classes=[1], out=tmp_path / "audit", quiet=True)
    data = json.loads((folder / "audit.json").read_text())
    best = max(each["confidence"] for each in data["classes"][0]["attacks"].values())
    assert f"| {percent(best)} |" in (folder / "report.md").read_text()
    assert data["left_out"] == data["warnings"] == []
    image = folder / data["classes"][0]["attacks"]["gradient"]["image"]
    assert FoolingImage.from_file(image).pixels.shape == (28, 28, 1)
