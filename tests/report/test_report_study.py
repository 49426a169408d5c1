"""``report.html`` of a study: it shows the results of the study, and escapes foreign markup."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from helpers.chromium import PROGRAM, Chromium
from helpers.experiments import KIT, resealed
from helpers.pages import data_of

from fooldeap.errors import InputError
from fooldeap.result_tools import pages
from fooldeap.runs.folder import problems_in
from fooldeap.study.comparison import compare

STUDY = {
    "name": "small",
    "classifier": "tiny",
    "algorithm": {"name": "generational", "population": 10},
    "vary": {"selection": {"strong": {"name": "tournament", "size": 6}, "none": "random"}},
    "targets": [0, 2],
    "seeds": 2,
    "goal": {"confidence": 0.8},
    "budget": 300,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fooldeap.study.figures.draw", lambda *_: {"ecdf.svg": "<svg/>", "ecdf.png": b"\x89PNG"})
        return compare(STUDY, out=tmp_path_factory.mktemp("study") / "study", plugins=[KIT], quiet=True)


@pytest.fixture
def copy(done, tmp_path):
    return shutil.copytree(done.folder, tmp_path / "study")


@pytest.fixture(scope="module")
def page(done):
    return (done.folder / "report.html").read_text()


def test_the_films_are_those_of_the_first_seed(done, page):
    _, _, first, second = data_of(page)
    for target, films in ((0, first), (2, second)):
        assert {film["title"] for film in films} == {"none", "strong"}
        for film in films:
            run = done.outcome.run(film["title"], target, 1)
            assert film["evaluations"][-1] == run.evaluations
            assert film["probabilities"][-1][target] == pytest.approx(run.confidence, abs=1e-6)


def test_the_curves_are_medians_over_runs_and_shares_of_runs(done, page):
    confidence, reached, *_ = data_of(page)
    assert [line["label"] for line in confidence["lines"]] == [each.name for each in done.analysis.variants]
    for line in confidence["lines"]:
        curves = [curve for key, curve in done.outcome.curves.items() if key[0] == line["label"]]
        assert line["x"] == done.outcome.grid.tolist()
        assert line["y"] == pytest.approx(np.median(curves, axis=0), rel=1e-6)
    for line in reached["lines"]:
        runs = [run for run in done.outcome.runs if run.variant == line["label"]]
        for place, share in zip(line["x"], line["y"], strict=True):
            reached_by = [run for run in runs if run.evaluations_to_goal and run.evaluations_to_goal <= place]
            assert share == len(reached_by) / len(runs)


def test_the_page_has_the_whole_report_and_the_figures(done, page):
    for title in ("Conclusions", "Evaluations to the goal", "By target", "Pairs", "Method", "Provenance"):
        assert re.search(rf"<h2[^>]*>{title}</h2>", page)
    assert page.count("data:image/svg+xml;base64,PHN2Zy8+") == 1
    assert "<i>The best images of the first seed and their confidence</i>" in page  # the caption of a missing figure
    assert page.count('alt="Image for target') == 4


def test_a_remade_page_is_bit_identical_and_checksums_hold(done, copy):
    assert problems_in(done.folder) == []
    before = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    assert pages.make(copy).read_bytes() == before
    assert problems_in(copy) == []


def test_a_changed_snapshot_is_refused(copy):
    for path in copy.glob("variants/*/snapshots/*/2.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"2.npz does not match its checksum\); remove it to repeat the run"):
        compare(resume=copy, quiet=True)


def test_an_unfinished_study_has_no_page(copy):
    (copy / "summary.json").unlink()
    with pytest.raises(InputError, match="is not finished; finish it first: fooldeap compare --resume"):
        pages.make(copy)


def test_markup_in_a_foreign_report_is_escaped(copy):
    nasty = "<script>alert(1)</script> [a](javascript:alert(1)) <img src=x onerror=alert(1)>"
    report = json.loads((copy / "report.json").read_text())
    thumb = {"title": nasty, "image": f"data:x{nasty}", "certain": nasty}
    blocks = [
        {"kind": "text", "text": nasty},
        {"kind": "items", "texts": [nasty]},
        {"kind": "code", "text": nasty, "title": nasty},
        {"kind": "table", "header": [nasty], "rows": [[nasty]]},
        {"kind": "gallery", "groups": [{"title": nasty, "thumbs": [thumb]}]},
        {"kind": "catalogue", "entries": [{"number": 1, "name": nasty, "image": f"data:x{nasty}", "confidence": 1}]},
        {"kind": "histogram", "header": [nasty, nasty], "counts": [[nasty, 3]]},
        *({"kind": "figure", "path": path, "alt": nasty} for path in ("../secret.png", "/etc/passwd", "report.json")),
    ]
    report["sections"] = [{"title": nasty, "outputs": ["html"], "blocks": blocks}]
    (copy / "report.json").write_text(json.dumps({**report, "title": nasty, "lead": nasty, "facts": [[nasty, nasty]]}))
    (copy.parent / "secret.png").write_bytes(b"secret")
    resealed(copy)
    page = pages.make(copy).read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<a " not in page.replace('<a class="skip" href="#main">', "")
    assert base64.b64encode(b"secret").decode() not in page
    assert page.count("data:image/svg+xml") == 0


@pytest.mark.parametrize("block", ["cards", "films", "catalogue"])
def test_pictures_outside_the_folder_are_refused(copy, block):
    blocks = {
        "cards": {"cards": [{"title": "", "image": "../secret.png"}]},
        "catalogue": {"entries": [{"number": 1, "name": "", "image": "../secret.png", "confidence": 1}]},
        "films": {"films": [{"title": "", "target": 0, "path": "../secret.npz"}]},
    }
    report = json.loads((copy / "report.json").read_text())
    sections = [{"title": "x", "outputs": ["html"], "blocks": [{"kind": block, **blocks[block]}]}]
    (copy / "report.json").write_text(json.dumps({**report, "sections": sections}))
    resealed(copy)
    with pytest.raises(InputError, match="which is outside this folder; restore it from a copy"):
        pages.make(copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"title": 1}', '{"title": "", "lead": "", "sections": [3]}'])
def test_a_damaged_report_is_refused(copy, content):
    (copy / "report.json").write_text(content)
    resealed(copy)
    with pytest.raises(InputError, match=r"study: is damaged \(.*\); restore it from a copy"):
        pages.make(copy)


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_without_errors(done, tmp_path, width):
    with Chromium(tmp_path) as browser:
        browser.open(done.folder / "report.html", width=width, dark=True)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("document.querySelectorAll('.uplot').length") == 2
        assert [line for line in browser.said if "svg" not in line] == []
        assert (
            json.loads(browser.value("JSON.stringify([...document.images].map((each) => each.alt !== ''))")).count(
                False
            )
            == 0
        )
