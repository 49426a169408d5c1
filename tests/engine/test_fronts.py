"""Fronts: the best of all that was shown, against moocore; what is left of them on disk and on the page."""

import csv
import json
import shutil

import moocore
import numpy as np
import pytest
from helpers.experiments import KIT, TINY, run, tiny
from helpers.resuming import check_resumes_wherever_cut
from hypothesis import given
from hypothesis import strategies as st

from fooldeap import pareto
from fooldeap.configuration import config
from fooldeap.engine import fronts
from fooldeap.engine.fronts import MOST, Front
from fooldeap.plugin import Predictions, fitness
from fooldeap.result_tools import pages
from fooldeap.result_tools.verify import verify
from fooldeap_plugins.fitness.confidence_and_ink import confidence_and_ink

CHOICES = {
    "algorithm": {"name": "nsga2", "population": 20},
    "fitness": "confidence_and_ink",
    "mutation": {"name": "mixed", "of": ["random_pixels", {"name": "erase", "rate": 0.1}]},
    "stop": {"confidence": 0.9, "stop_at_goal": False, "generations": 12},
    "targets": [1, 2],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run by two objectives: result, folder, and all images that the classifier was shown, of two targets."""
    folder = tmp_path_factory.mktemp("front") / "run"
    result, prepared = run(tiny(**CHOICES, reporters=["csv", "figures"]), folder)
    return result, folder, prepared


def added(batches):
    """Return the front of objectives that come in batches; an image is the number of its row."""
    front, before = Front(), 0
    for objectives in batches:
        numbers = np.arange(before, before + len(objectives))
        front.add(np.array(objectives), numbers[:, None], numbers[:, None], before)
        before += len(objectives)
    return front.images


@given(
    st.integers(2, 3).flatmap(
        lambda k: st.lists(
            st.lists(st.lists(st.integers(-4, 4).map(float), min_size=k, max_size=k), min_size=1, max_size=12),
            min_size=1,
            max_size=4,
        )
    )
)
def test_front_equals_that_of_moocore_with_the_first_of_equal_rows(batches):
    rows = [tuple(row) for batch in batches for row in batch]
    kept = moocore.is_nondominated(-np.array(rows))
    expected = {row: rows.index(row) + 1 for row, keep in zip(rows, kept, strict=True) if keep}
    found = added(batches)
    assert {each.objectives: each.evaluations for each in found} == expected
    assert [each.objectives for each in found] == sorted(expected, reverse=True)
    assert all(each.image == each.logits == each.evaluations - 1 for each in found)


def test_a_full_front_keeps_its_ends_and_the_least_crowded():
    first = np.random.default_rng(1).permutation(np.linspace(0, 1, 5 * MOST)) ** 3  # crowded at 0
    found = added(np.stack([first, -first], axis=1).reshape(10, -1, 2).tolist())
    assert len(found) == MOST
    kept = np.array([each.objectives[0] for each in found])
    assert (kept.max(), kept.min()) == (1, 0)
    assert np.diff(kept[::-1]).max() < 3 / MOST  # evenly along the front, where every fifth would be 3 / MOST apart
    assert np.diff(kept[::-1]).min() > 0.3 / MOST


def test_minus_nothing_is_nothing():
    (member,) = added([[[0.0, -0.0]]])
    assert str(member.objectives) == "(0.0, 0.0)"


def test_the_front_of_a_run_is_that_of_all_images_it_showed():
    result, prepared = run(tiny(**{**CHOICES, "targets": [1]}))
    shown = np.concatenate(prepared.classifier.images)
    shown = shown[shown.any(axis=(1, 2, 3))]  # without the black ones that fill up batches
    logits = prepared.classifier.logits(shown)
    objectives = confidence_and_ink(Predictions(logits, shown), 1)
    found = result[1].front
    assert len(found) > 5
    assert {each.objectives for each in found} == {
        tuple(row) for row in objectives[moocore.is_nondominated(-objectives)].tolist()
    }
    for each in found:
        assert (objectives[[np.array_equal(each.image, image) for image in shown]] == each.objectives).all()
        assert np.array_equal(each.logits, prepared.classifier.logits(each.image[None])[0])
        assert 1 <= each.evaluations <= result[1].evaluations
    best = max((each for each in found if confident(each, 1) >= 0.9), key=lambda each: each.objectives[1])
    assert np.array_equal(best.image, result[1].image.pixels)


def confident(each, target):
    return Predictions(each.logits[None], each.image[None]).probabilities[0, target]


def test_one_objective_has_no_front(tmp_path):
    result, _ = run(tiny(targets=[1], stop={"generations": 2}, reporters=["csv", "figures"]), tmp_path / "run")
    assert result[1].front == ()
    assert not [path for path in (tmp_path / "run").rglob("*") if "front" in path.name]


def test_one_column_of_objectives_has_no_front(tmp_path):
    @fitness("column")
    def column(predictions, target):
        return predictions.log_probabilities[:, [target]]

    choices = {**TINY, "algorithm": "nsga2", "fitness": "column", "targets": [1], "stop": {"generations": 2}}
    result, _ = run(config.load(choices, plugins=[KIT, column]), tmp_path / "run")
    assert result[1].front == ()


def test_front_csv_and_images_match_the_result(finished):
    result, folder, _ = finished
    rows = list(csv.DictReader((folder / "front.csv").read_text().splitlines()))
    members = [(run, each) for run in result for each in run.front]
    assert len(rows) == len(members)
    for row, (each_run, each) in zip(rows, members, strict=True):
        assert (int(row["seed"]), int(row["target"])) == (each_run.seed, each_run.target)
        assert (float(row["log p"]), float(row["-ink"])) == each.objectives
        assert float(row["confidence"]) == pytest.approx(np.exp(each.objectives[0]))
        assert int(row["evaluations"]) == each.evaluations
        assert int(row["predicted"]) == each.logits.argmax()
    content = (folder / "fronts.npz").read_bytes()
    assert content == fronts.packed(result.runs)
    for each_run, found in zip(result, fronts.unpacked(content, 2), strict=True):
        assert [each[:2] for each in found] == [each[:2] for each in each_run.front]
        assert all(np.array_equal(one.image, other.image) for one, other in zip(found, each_run.front, strict=True))
    with pytest.raises(ValueError, match="it has a run 1, of 1"):
        fronts.unpacked(content, 1)
    assert (folder / "figures/front.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_shows_it(finished):
    result, folder, _ = finished
    page = pages.make(folder).read_text()
    section = page.split('<section id="fronts"')[1].split("</section>")[0]
    assert section.count("<img") == sum(min(10, len(each.front)) for each in result)
    for each in result:
        ends = [", ".join(f"{value:.3g}" for value in member.objectives) for member in (each.front[0], each.front[-1])]
        assert all(end in section for end in ends)


def test_verify_reproduces_fronts_and_accepts_folders_without(finished, tmp_path):
    folder = shutil.copytree(finished[1], tmp_path / "run")
    assert verify(folder).reproduced
    for name in ("fronts.npz", "front.csv"):
        (folder / name).unlink()
    sums = (folder / "SHA256SUMS").read_text().splitlines(True)
    (folder / "SHA256SUMS").write_text(
        "".join(line for line in sums if "front.csv" not in line and "fronts.npz" not in line)
    )
    assert verify(folder).reproduced


def test_front_is_bit_identical_after_resume(tmp_path):
    check_resumes_wherever_cut(tiny(**CHOICES), tmp_path, 3)


def test_objectives_have_names(finished):
    result, folder, _ = finished
    assert result.objectives == ("log p", "-ink")
    assert json.loads((folder / "result.json").read_text())["objectives"] == ["log p", "-ink"]
    assert "the values of log p and -ink; larger is better" in pages.make(folder).read_text()
    assert fronts.called(result.runs, ("one",)) == ("objective 1", "objective 2")
    assert fronts.called((), ("log p", "-ink")) == ()


def test_equal_rows_are_not_better():
    assert pareto.best(np.zeros((4, 2))).tolist() == [0]


def test_the_console_says_how_large_fronts_are(capsys):
    result, _ = run(tiny(**{**CHOICES, "reporters": ["console"], "stop": {"confidence": None, "evaluations": 60}}))
    sizes = {len(each.front) for each in result}
    said = "".join(capsys.readouterr()).splitlines()[-1]
    assert (
        f"{min(sizes)} to {max(sizes)} images on the Pareto front of" in said
        or f"{min(sizes)} images on the Pareto front of" in said
    )
    assert "reached the goal" not in said, "there was none"
