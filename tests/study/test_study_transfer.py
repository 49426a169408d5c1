"""Transfer of images between the classifiers of a study, against direct queries to each classifier."""

import csv
import math

import numpy as np
import pytest
from helpers.experiments import KIT, TINY

import fooldeap
from fooldeap.configuration import config
from fooldeap.study import transfer
from fooldeap.terminal_text import markdown

STUDY = {
    **TINY,
    "reporters": [],
    "goal": {"confidence": 0.9},
    "budget": 600,
    "seeds": 2,
    "vary": {
        "classifier": {
            "soft": {"name": "tiny", "sharpness": 0.0012},
            "sharp": {"name": "tiny", "sharpness": 0.004},
        },
        "mutation": ["random_pixels", {"name": "creep", "step": 90}],
    },
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer") / "study"
    return fooldeap.compare(STUDY, out=folder, plugins=[KIT], quiet=True)


@pytest.fixture(scope="module")
def rows(study):
    return list(csv.DictReader((study.folder / "transfer.csv").read_text().splitlines()))


def test_each_image_is_shown_to_each_classifier(study, rows):
    assert len(rows) == 2 * len(study.outcome.runs) == 2 * 4 * 4 * 2
    for row in rows:
        classifier = config.load({"classifier": STUDY["vary"]["classifier"][row["shown_to"]]}, plugins=[KIT]).classifier
        image = study.outcome.images[row["variant"], int(row["target"]), int(row["seed"])]
        logits = classifier.build().logits(image[None])[0].astype(float)
        odds = np.exp(logits - logits.max())
        assert float(row["confidence"]) == pytest.approx(odds[int(row["target"])] / odds.sum())
        assert int(row["predicted"]) == logits.argmax()
        assert row["taken"] == str(row["predicted"] == row["target"])
        assert row["variant"].startswith(row["evolved_on"] + "+")


def test_a_cell_counts_the_images_that_reached_the_goal(study, rows):
    text = (study.folder / "report.md").read_text()
    assert "## Transfer" in text
    for variant in study.outcome.variants:
        own = variant.partition("+")[0]
        for shown_to in ("soft", "sharp"):
            shown = [row for row in rows if (row["variant"], row["shown_to"]) == (variant, shown_to)]
            reached = [row for row in shown if row["reached"] == "True"]
            taken = sum(row["taken"] == "True" for row in reached)
            name = f"{shown_to} (its own)" if shown_to == own else shown_to
            start = f"| {markdown(variant)} | {markdown(name)} |"
            (line,) = [line for line in text.splitlines() if line.startswith(start)]
            assert f"| {len(reached)} | " in line
            if reached:
                assert f"| {100 * taken / len(reached):.1f}".removesuffix(".0") in line


def test_the_heat_map_is_in_the_report(study):
    assert {path.name for path in study.folder.glob("figures/transfer.*")} == {"transfer.png", "transfer.svg"}
    assert "![Share of the images that each classifier takes" in (study.folder / "report.md").read_text()


def test_a_study_of_one_classifier_has_no_transfer(tmp_path):
    study = {**STUDY, "vary": {"mutation": ["random_pixels", "creep"]}, "seeds": 1, "targets": [0]}
    done = fooldeap.compare(study, out=tmp_path / "one", plugins=[KIT], quiet=True)
    assert not (done.folder / "transfer.csv").exists()
    assert "## Transfer" not in (done.folder / "report.md").read_text()


def test_classifiers_are_labelled_by_the_shared_part_of_their_variants():
    experiment = config.load({})
    groups = [dict.fromkeys(names, experiment) for names in (["a+x", "b+x"], ["a+y", "b+y"])]
    assert transfer._label_classifiers(groups) == ["x", "y"]
    unnamed = [{"one": experiment}, {"two": config.load({"classifier": {"model": "mnist_lenet"}})}]
    assert transfer._label_classifiers(unnamed) == ["one", "two"]
    unlike = [dict.fromkeys(names, experiment) for names in (["a", "b"], ["c", "d"])]
    assert transfer._label_classifiers(unlike) == ["mnist_cnn-1", "mnist_cnn-2"]


def test_a_cell_without_images_has_no_share():
    cell = transfer.Transfer(("x", "y"), {"v": "x"}, ()).cells()[1]
    assert (cell.images, cell.own, cell.taken.low, cell.taken.high) == (0, False, 0, 1)
    assert math.isnan(cell.taken.value)
    assert math.isnan(cell.confidence)
