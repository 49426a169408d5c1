"""Images to answers: chunks, padding, what is lent, and the number of rows that goes fastest."""

import json
import time

import numpy as np
import pytest
from helpers.experiments import bits, tiny

import fooldeap
from fooldeap import registry
from fooldeap.engine import calibration
from fooldeap.engine.calibration import calibrate
from fooldeap.engine.evaluation import ALIGNMENT, ROWS, Evaluator, Rows, aligned
from fooldeap.engine.timeout import TimeLimit
from fooldeap.errors import OvertimeError
from fooldeap.result_tools import pages
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder


class Timed:
    """A classifier of 8 x 8 images. ``seconds`` returns the duration of a batch of a given size."""

    input_shape, classes, digest = (8, 8, 1), 4, "timed"

    def __init__(self, seconds):
        self.seconds, self.sizes = seconds, []

    def logits(self, images):
        self.sizes.append(len(images))
        time.sleep(self.seconds(len(images)))
        return images.reshape(len(images), -1)[:, :4].astype(np.float32)


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


@pytest.mark.parametrize("shares", [1, 4])
@pytest.mark.parametrize("counts", [[1], [31, 2], [0, 5, 0], [100, 300, 41], []])
def test_every_batch_gets_its_own_answers_whatever_the_chunks(counts, shares):
    classifier = Timed(lambda _: 0)
    evaluator = Evaluator(classifier, shares=shares)
    evaluator.rows = 64
    batches = [noise(count, seed) for seed, count in enumerate(counts)]
    for _ in range(2):  # what is lent is used again
        answers = evaluator.logits(batches)
        assert [len(answer) for answer in answers] == counts
        for batch, answer in zip(batches, answers, strict=True):
            assert np.array_equal(answer, batch.reshape(len(batch), 64)[:, :4])
    assert all(size % ROWS == 0 and size <= 64 for size in classifier.sizes)
    assert evaluator.queries.classifier == 2 * sum(counts)


def test_rows_of_a_batch_are_taken_without_the_others():
    classifier = Timed(lambda _: 0)
    images = noise(50)
    (answer,) = Evaluator(classifier).logits([Rows(images, np.array([40, 3, 3]))])
    assert np.array_equal(answer, images[[40, 3, 3]].reshape(3, -1)[:, :4])


class Odd(Timed):
    """One whose answers depend on more than the image: on its batch, on chance, or on chance now and then."""

    def __init__(self, more):
        super().__init__(lambda _: 0)
        self.more, self.rng = more, np.random.default_rng(1)

    def logits(self, images):
        logits = super().logits(images)
        if self.more == "batch":
            return logits - logits.mean()
        if self.more == "chance":
            return logits + self.rng.random(logits.shape, np.float32)
        return logits + np.float32(self.more == "rare chance" and self.rng.random() < 0.2)


@pytest.mark.parametrize(
    ("more", "expected", "times"),
    [("nothing", "image", 1), ("batch", "batch", 2), ("chance", "chance", 2), ("rare chance", "chance", 2)],
)
def test_dependence_of_answers_is_detected_and_its_queries_counted(more, expected, times):
    evaluator = Evaluator(Odd(more))
    found = calibrate(evaluator)
    assert found.depends_on == expected
    assert evaluator.queries.probes == sum(evaluator.classifier.sizes)
    assert evaluator.queries.classifier == 0
    assert evaluator.classifier.sizes.count(ROWS) == times * 32  # asked again only where need be
    assert found.rows == evaluator.rows or more == "nothing"
    assert found.noise.shape == (32 * ROWS, 4)


@pytest.mark.parametrize("rows", [32, 64, 96, 512, 2048])
@pytest.mark.parametrize("more", ["nothing", "batch", "chance"])
def test_a_known_number_of_images_at_a_time_is_tried_and_no_other(more, rows):
    evaluator = Evaluator(Odd(more))
    found = calibrate(evaluator, rows)
    assert found.depends_on == {"nothing": "image"}.get(more, more)
    assert set(evaluator.classifier.sizes) <= {ROWS, min(96, rows), rows}
    assert found.rows == (rows if more == "nothing" else evaluator.rows)


@pytest.mark.parametrize("rows", [None, 96, 512])
def test_rounding_in_batches_of_32_is_avoided_by_batches_of_64(rows):
    classifier = Timed(lambda _: 0)
    plain = classifier.logits
    classifier.logits = lambda images: plain(images) + np.float32(1e-4 if len(images) == 32 else 0)
    evaluator = Evaluator(classifier)
    found = calibrate(evaluator, rows)
    assert (found.depends_on, found.multiple) == ("image", 64)
    assert found.rows % 64 == 0
    assert evaluator.queries.probes == sum(classifier.sizes)
    evaluator.rows, evaluator.multiple, classifier.sizes = found.rows, found.multiple, []
    evaluator.logits([noise(10), noise(100)])
    assert sum(classifier.sizes) == 128
    assert all(size % 64 == 0 for size in classifier.sizes)


class Place(Timed):
    """Answers an image otherwise in batches of a size, or at a place in them."""

    def __init__(self, wrong):
        super().__init__(lambda _: 0)
        self.wrong = wrong

    def logits(self, images):
        logits = super().logits(images)
        logits[self.wrong(np.arange(len(images)), len(images))] += np.float32(0.01)
        return logits


@pytest.mark.parametrize(
    "wrong",
    [
        lambda places, size: places >= 1024,
        lambda places, size: (places < 8) & (size > 32),
        lambda places, size: size == 96,
        lambda places, size: (size >= 512) & (places > size - 32),
    ],
)
def test_dependence_on_batch_size_or_position_is_detected(wrong):
    assert calibrate(Evaluator(Place(wrong))).depends_on == "batch"


@pytest.mark.parametrize(
    ("more", "told"), [("batch", "the image and its batch"), ("chance", "the results cannot be reproduced")]
)
def test_dependence_of_answers_is_warned_of_and_reported(more, told, tmp_path):
    experiment = tiny(targets=[1], stop={"confidence": None, "generations": 1}, report=True)
    with (
        pytest.warns(fooldeap.FooldeapWarning, match="one by one"),
        ExperimentSession(experiment, Odd(more)) as prepared,
    ):
        prepared.run(RunFolder.create(experiment, tmp_path / "run"))
    assert json.loads((tmp_path / "run/environment.json").read_text())["answers_depend_on"] == more
    assert told in pages.make(tmp_path / "run").read_text()


def test_a_billable_one_is_taken_at_its_word():
    classifier = Odd("chance")
    classifier.billable = True
    found = calibrate(Evaluator(classifier))
    assert (found.depends_on, found.rows, len(found.noise), classifier.sizes) == ("image", 1024, 0, [])


@pytest.mark.parametrize("offset", [0, 1, 16, ALIGNMENT])
def test_keras_takes_images_wherever_they_are_in_memory(offset):
    """Aligned ones are shown without a copy, on which TensorFlow would end the process if they were not."""
    classifier = registry.load().get("classifier", "keras").build({"model": "mnist_lenet"})
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype=np.uint8)
    size = images.size
    shifted = aligned((size + offset,))[offset:].reshape(images.shape)
    shifted[:] = images
    fixed = images.copy()
    fixed.flags.writeable = False
    expected = classifier.logits(images.tolist())
    for same in (images, shifted, fixed, np.asfortranarray(images)):
        assert np.array_equal(classifier.logits(same), expected)
    shifted[:] = 0  # what is lent may be written over when the answer is there
    assert np.array_equal(classifier.logits(images), expected)


def test_images_on_the_way_to_the_classifier_are_aligned():
    places = []
    classifier = Timed(lambda _: 0)
    answer = classifier.logits
    classifier.logits = lambda images: (places.append(images.ctypes.data), answer(images))[1]
    evaluator = Evaluator(classifier)
    evaluator.rows = 32
    evaluator.logits([noise(200), noise(3)])
    assert len(places) == 7
    assert all(place % ALIGNMENT == 0 for place in places)


def test_the_fastest_number_of_rows():
    small = Evaluator(Timed(lambda size: 0.001 if size <= 256 else 0.02))
    assert calibrate(small).rows == 256
    large = Evaluator(Timed(lambda size: 0.004))
    assert calibrate(large).rows == 2048
    usual = Evaluator(Timed(lambda size: size * 1e-5))
    assert calibrate(usual).rows == 1024, "it stands where another is not clearly faster"


def test_batches_that_need_much_memory_are_not_tried(monkeypatch):
    classifier = Timed(lambda size: 0.004)
    monkeypatch.setattr(calibration, "_peak_memory", lambda: max(classifier.sizes) * 170_000)
    assert calibrate(Evaluator(classifier)).rows == 512
    assert max(classifier.sizes) == 512, "1024 images would need 170 MB more than 32"
    assert calibrate(Evaluator(classifier), 2048).rows == 2048, "a recorded number is kept"


def test_a_slow_classifier_is_asked_little(monkeypatch):
    """Whose images take their time: two small batches, and a few larger ones. Whose calls do: up to the largest."""
    monkeypatch.setattr(calibration, "SECONDS", 0.05)
    images = Timed(lambda size: 0.002 * size)
    assert calibrate(Evaluator(images)).rows == 128
    assert images.sizes == [32, 32, 96, 128]
    calls = Timed(lambda _: 0.1)
    assert calibrate(Evaluator(calls)).rows == 2048
    assert calls.sizes == [32, 32, 96, 128, 256, 512, 1024, 2048]
    again = Timed(lambda _: 0.1)
    assert calibrate(Evaluator(again), 2048).depends_on == "image"
    assert again.sizes == [32, 32, 96, 2048]


@pytest.mark.parametrize(("scale", "told"), [(1.0, False), (100.0, True)])
def test_a_classifier_that_is_far_too_sure_of_noise_is_warned_of(scale, told, recwarn):
    class Scaled(Timed):
        def logits(self, images):
            return super().logits(images) * np.float32(scale)

    fooldeap.fool(Scaled(lambda _: 0), 1, stop={"evaluations": 10}, quiet=True)
    said = [str(each.message) for each in recwarn]
    assert [text.split(",")[0] for text in said] == ["the logits of an image of noise lie 15"] * told, said
    assert all(text.endswith("if the classifier was trained on other pixels than 0..255, scale them") for text in said)


def test_wrong_pixel_range_of_a_network_is_warned_of():
    import keras

    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    keras.utils.set_random_seed(1)
    model.layers[-1].set_weights([np.random.default_rng(0).normal(0, 0.5, (784, 10)), np.zeros(10)])
    few = {"stop": {"evaluations": 10}}
    with pytest.warns(fooldeap.FooldeapWarning, match=r"trained on other pixels .*, set 'input_range: \[0, 1\]'"):
        fooldeap.fool(model, 1, classifier={"name": "keras", "outputs": "logits"}, **few)
    fooldeap.fool(model, 1, classifier={"name": "keras", "outputs": "logits", "input_range": [0, 1]}, **few)


def test_the_number_of_rows_is_recorded_and_used_again(tmp_path):
    experiment = tiny(targets=[1], stop={"confidence": None, "generations": 3})
    with ExperimentSession(experiment, rows=96) as prepared:
        prepared.run(RunFolder.create(experiment, tmp_path / "run"))
    assert json.loads((tmp_path / "run/calibration.json").read_text()) == {"rows": 96}
    expected = bits(tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    assert RunFolder.open(tmp_path / "run").rows == 96
    fooldeap.resume(tmp_path / "run", quiet=True)
    assert json.loads((tmp_path / "run/calibration.json").read_text()) == {"rows": 96}
    assert bits(tmp_path / "run") == expected


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rows": 33}', '{"rows": "64"}', '{"rows": -32}'])
def test_a_record_that_makes_no_sense_is_passed_over(tmp_path, text):
    RunFolder.create(tiny(), tmp_path / "run").write("calibration.json", text)
    assert RunFolder.open(tmp_path / "run").rows is None


def test_batch_size_is_fixed_if_rows_depend_on_it():
    with (
        pytest.warns(fooldeap.FooldeapWarning, match="one by one"),
        ExperimentSession(tiny(classifier="neighbourly")) as prepared,
    ):
        assert prepared.evaluator.rows == Evaluator(prepared.classifier).rows


def test_gradients_have_the_time_limit_of_logits():
    classifier = Timed(lambda size: 0)
    classifier.gradient = lambda images, targets: time.sleep(100)
    evaluator, images = Evaluator(classifier, TimeLimit("classifier 'sleepy'", 0.2)), noise(3)
    evaluator.depends_on = "batch"
    assert len(evaluator.logits([images])[0]) == 3
    with pytest.raises(OvertimeError, match=r"^classifier 'sleepy' took longer than 0.2 s for a batch of 3 images"):
        evaluator.gradients([(Rows(images, np.arange(3)), 1)])
    assert (evaluator.queries.gradients, evaluator.queries.uncertain) == (0, 3)


def gradients(classifier, counts, depends_on="image"):
    """Return the evaluator, the images for each count, and their gradients by targets 0, 1, ..."""
    evaluator = Evaluator(classifier)
    evaluator.depends_on = depends_on
    batches = [noise(count, seed) for seed, count in enumerate(counts)]
    rows = [(Rows(images, np.arange(len(images))), target) for target, images in enumerate(batches)]
    return evaluator, batches, evaluator.gradients(rows)


def test_gradients_of_several_runs_share_passes_of_16_images():
    classifier = tiny().build_classifier()
    evaluator, batches, found = gradients(classifier, [1, 3, 16])
    assert [len(images) for images in classifier.images] == [16] * 4, "two passes tell whether rows are independent"
    for target, (images, gradient) in enumerate(zip(batches, found, strict=True)):
        for image, its in zip(images, gradient, strict=True):
            (expected,) = classifier.gradient(image[None], np.array([target]))
            np.testing.assert_array_equal(its, expected)
    assert (evaluator.queries.gradients, evaluator.queries.padding, evaluator.queries.probes) == (20, 12, 32)


Tiny = type(tiny().build_classifier())


class Leaning(Tiny):
    """Its gradient depends on the position in the batch."""

    def gradient(self, images, targets):
        found = super().gradient(images, targets)
        return found + np.arange(len(found), dtype=np.float32)[:, None, None, None]


@pytest.mark.parametrize(("classifier", "depends_on"), [(Leaning(), "image"), (Tiny(), "batch"), (Tiny(), "chance")])
def test_runs_have_their_own_passes_if_gradients_depend_on_the_batch(classifier, depends_on):
    evaluator, batches, found = gradients(classifier, [1, 3], depends_on)
    assert [len(images) for images in classifier.images][-2:] == [1, 3]
    for target, (images, gradient) in enumerate(zip(batches, found, strict=True)):
        np.testing.assert_array_equal(gradient, classifier.gradient(images, np.full(len(images), target)))
    assert (evaluator.queries.gradients, evaluator.queries.padding) == (4, 0)


def test_a_failing_gradient_ends_one_run_only():
    class Picky(Tiny):
        def gradient(self, images, targets):
            if 2 in targets:
                raise ValueError("not for class 2")
            return super().gradient(images, targets)

    experiment = tiny(algorithm="ascent", stop={"confidence": None, "evaluations": 40}, on_error="skip", targets=[0, 2])
    with (
        pytest.warns(fooldeap.FooldeapWarning, match="not for class 2"),
        ExperimentSession(experiment, Picky()) as made,
    ):
        result = made.run(None, quiet=True)
    assert [run.target for run in result] == [0]
    assert list(result.failures) == ["seed1-target2"]
