"""The best distinct images of each target, against DEAP's hall of fame over all images that were shown."""

import numpy as np
import pytest
from deap import tools
from helpers.commands import call
from helpers.experiments import KIT, TINY, bits, run, tiny

import fooldeap
from fooldeap.engine.individuals import Individual
from fooldeap.errors import InputError
from fooldeap.plugin import Predictions
from fooldeap.runs.experiment_session import ExperimentSession

ENDS = ("", "-2", "-3", "-4", "-5", "-6")
KEEP = {"keep": 6, "targets": [0, 2], "stop": {"confidence": None, "evaluations": 300}}


@pytest.mark.parametrize("fitness", ["softmax_loss", "margin"])
def test_the_kept_images_are_those_of_the_hall_of_fame(fitness):
    """DEAP keeps the best distinct individuals of all populations."""
    session = ExperimentSession(tiny(**{**KEEP, "targets": [2]}, fitness=fitness))
    session.classifier.images.clear()
    (result,) = session.run(None)
    shown = np.concatenate(session.classifier.images)
    images = shown[shown.any(axis=(1, 2, 3))]  # without padding
    predictions = Predictions(session.classifier.logits(images), images)
    values = session.experiment.fitness.build()(predictions, 2)
    individuals = []
    for image, value in zip(images, values, strict=True):
        individual = Individual(image)
        individual.fitness.values = (value,)
        individuals.append(individual)
    best = tools.HallOfFame(6)
    best.update(individuals)
    assert [each.score for each in result.kept] == [each.fitness.values[0] for each in best]
    for each, expected in zip(result.kept, best, strict=True):
        np.testing.assert_array_equal(each.image.pixels, expected.genome)
        row = next(number for number, image in enumerate(images) if np.array_equal(image, expected.genome))
        assert each.evaluations == row + 1
        assert each.confidence == predictions.probabilities[row, 2]
        assert each.predicted == predictions.logits[row].argmax()
    np.testing.assert_array_equal(result.kept[0].image.pixels, result.image.pixels)


def test_images_that_reached_the_goal_come_first():
    stop = {"confidence": 0.9, "evaluations": 600, "stop_at_goal": False}
    (result, *_), _ = run(tiny(keep=8, targets=[1], stop=stop))
    reached = [each.confidence >= 0.9 for each in result.kept]
    assert reached == sorted(reached, reverse=True)
    assert any(reached)
    assert result.kept[0].score == result.score
    assert len({each.image.pixels.tobytes() for each in result.kept}) == 8


def test_the_folder_has_the_kept_images(tmp_path):
    written, _ = run(tiny(**KEEP, seeds=2), tmp_path / "run")
    names = sorted(path.relative_to(tmp_path / "run").as_posix() for path in tmp_path.glob("run/images/seed-*/2*.png"))
    assert names == sorted(
        f"images/seed-{seed}/2{end}.png" for seed in (1, 2) for end in ("", "-2", "-3", "-4", "-5", "-6")
    )
    for before, after in zip(written, fooldeap.load(tmp_path / "run"), strict=True):
        assert [each.scalars() for each in after.kept] == [each.scalars() for each in before.kept]
        for one, other in zip(before.kept, after.kept, strict=True):
            np.testing.assert_array_equal(one.image.pixels, other.image.pixels)
    assert call("verify", tmp_path / "run", "--plugins", KIT) == 0


def test_keeping_images_changes_no_other_bits(tmp_path):
    run(tiny(**KEEP), tmp_path / "several")
    run(tiny(**{**KEEP, "keep": 1}), tmp_path / "one")
    several, one = bits(tmp_path / "several"), bits(tmp_path / "one")
    assert {name: several[name] for name in one if name != "result.json"} == {
        name: content for name, content in one.items() if name != "result.json"
    }
    assert b'"kept"' not in one["result.json"]


def test_an_extended_run_keeps_the_same_images(tmp_path):
    run(tiny(**{**KEEP, "stop": {"confidence": None, "evaluations": 150}}), tmp_path / "short")
    assert call("run", "--resume", tmp_path / "short", "stop.evaluations=300", "--quiet") == 0
    run(tiny(**KEEP), tmp_path / "whole")
    short, whole = bits(tmp_path / "short"), bits(tmp_path / "whole")
    assert {name: short[name] for name in whole if "images/" in name} == {
        name: content for name, content in whole.items() if "images/" in name
    }
    assert sum("images/" in name for name in short) == sum("images/" in name for name in whole) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"keep": 10**6},
            r"keep: got 1000000, expected at most 262144 for 4 results with images \(8, 8, 1\); use at most",
        ),
        (
            {"keep": 2, "classifier": "neighbourly"},
            "keep: got 2, but the answer of this classifier .* leave",
        ),
        ({"keep": 0}, "keep: got 0, expected an integer >= 1"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_number_that_cannot_be_kept_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        run(tiny(**{**TINY, **arguments}))


def test_the_report_shows_the_kept_images(tmp_path):
    run(tiny(**KEEP), tmp_path / "run")
    assert call("report", tmp_path / "run") == 0
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "Kept images" in page
