"""``report.html`` of a run: its content, ``fooldeap report``, and the folders that it refuses."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.experiments import KIT, resealed, run, tiny
from helpers.pages import data_of

import fooldeap
from fooldeap import registry
from fooldeap.cli import main
from fooldeap.errors import InputError
from fooldeap.report import many_targets
from fooldeap.report.model import Films
from fooldeap.report.run import run_report
from fooldeap.result_tools import pages
from fooldeap.runs.folder import problems_in


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "run"
    fooldeap.run(tiny(targets=[1, 2], name="small", stop={"generations": 13}), out=folder, quiet=True)
    return folder


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "run")


def test_the_page_of_the_main_job_is_small_and_agrees_with_the_result(main_job):
    result, folder = main_job
    page = (folder / "report.html").read_text()
    assert len(page) < 1_000_000
    films, confidence, fitness = data_of(page)
    assert [film["title"] for film in films] == [line["label"] for line in confidence["lines"]] == list("0123456789")
    for one, film, curve, growth in zip(result, films, confidence["lines"], fitness["lines"], strict=True):
        assert film["probabilities"][-1][one.target] == pytest.approx(one.confidence, abs=1e-6)
        assert film["seen"][-1] == str(one.predicted)
        assert curve["x"][-1] == one.evaluations
        assert growth["y"][-1] == pytest.approx(one.score, rel=1e-6)
    assert confidence["goal"] == 0.9999
    for text in ("model: mnist_cnn", "tensorflow", "59\u202f805", "seen as <b>7</b>"):
        assert text in page


def with_many_targets(few):
    """Return a result of 30 targets. Target n has a confidence of (n + 1) %, and target 0 is seen as 1."""
    runs = [
        replace(few.runs[0], target=target, predicted=target or 1, confidence=(target + 1) / 100)
        for target in range(30)
    ]
    names = tuple(f"name {index}" for index in range(30))
    return replace(few, runs=tuple(replace(run, evaluations_to_goal=None) for run in runs), names=names)


def test_the_page_of_many_targets_begins_with_a_summary_and_lists_all(copy):
    few = fooldeap.load(copy)
    report = run_report(copy, with_many_targets(few))
    sections = {section.title: section.blocks for section in report.sections if section.blocks}
    facts = dict(report.facts)
    assert (facts["median confidence"], facts["mean confidence"]) == ("15.500 %", "15.500 %")
    assert list(sections)[:2] == ["Summary", "Images"]
    histogram, charts, gallery = sections["Summary"]
    assert dict(histogram.counts) == {
        "less than 0.1 %": 0,
        "0.1 % to 1 %": 0,
        "1 % to 10 %": 9,
        "10 % to 50 %": 21,
        "50 % to 90 %": 0,
        "90 % to 99 %": 0,
        "99 % to 99.99 %": 0,
        "at least 99.99 %": 0,
    }
    best, worst = ([thumb.title for thumb in group.thumbs] for group in gallery.groups)
    assert best == [f"{target}: name {target}" for target in range(29, 19, -1)]
    assert worst == [f"{target}: name {target}" for target in range(10)]
    entries = sections["Images"][1].entries
    assert [(entry.number, entry.name, entry.image) for entry in entries] == [
        (target, f"name {target}", f"images/{target}.png") for target in range(30)
    ]
    assert [entry.seen for entry in entries] == ["name 1", *[""] * 29]
    assert [entry.good for entry in entries] == [False, *[None] * 29]
    said, charts = sections["Growth"]
    assert said.text.startswith("At most 20 of the 30 images are shown")
    assert [line.label for line in charts.charts[0].lines] == [f"name {target}" for target in range(29, 9, -1)]
    rows = sections["Results table"][1].rows
    assert [row[:2] for row in rows[:2]] == [["0: name 0", "1: name 1"], ["1: name 1", "1: name 1"]]
    assert len(rows) == 30
    assert not [
        block for block in run_report(copy, few).sections[1].blocks if "are shown" in getattr(block, "text", "")
    ]


def test_the_curve_of_classes_reached_counts_each_class_once(copy):
    few = with_many_targets(fooldeap.load(copy))
    runs = []
    for target, count in ((0, 70), (1, 30), (2, 30), (3, None)):
        counts = {} if count is None else {"0.5": count, "0.9": count + 5}
        for seed in (1, 2):  # the second seed reaches each level later
            later = {name: 2 * value for name, value in counts.items()} if seed == 2 else counts
            confidence = 0.4 if count is None else 0.95
            run = replace(few.runs[target], seed=seed, evaluations=200, evaluations_to=later, confidence=confidence)
            runs.append(run)
    lines = {
        line.label: (line.x, line.y) for line in many_targets._classes_reached(replace(few, runs=tuple(runs))).lines
    }
    assert lines["50 %"] == ([1, 30, 70, 200], [0, 2, 3, 3])
    assert lines["90 %"] == ([1, 35, 75, 200], [0, 2, 3, 3])
    assert lines["99 %"] == lines["99.99 %"] == ([1, 200], [0, 0])


def test_evaluations_to_a_level_come_from_the_goal_or_the_log(copy):
    run = replace(fooldeap.load(copy).runs[0], confidence=0.99995, evaluations=500, evaluations_to_goal=77)
    log = [
        row._replace(confidence=share, evaluations=count)
        for row, share, count in zip(run.log, (0.1, 0.9999, 1), (100, 200, 300), strict=False)
    ]
    assert many_targets.evaluations_to(run, 0.9999, {"confidence": 0.9999}) == 77
    assert many_targets.evaluations_to(replace(run, log=tuple(log)), 0.9999, {"confidence": 0.5}) == 200
    assert many_targets.evaluations_to(replace(run, log=()), 0.9999, {"confidence": 0.9999, "score": 3}) == 500


def test_films_of_many_targets_keep_their_places_in_the_file(copy):
    few = fooldeap.load(copy)
    runs = [replace(few.runs[0], target=target, confidence=(target + 1) / 100) for target in range(30)]
    sections = run_report(copy, replace(few, runs=tuple(runs))).sections
    (films,) = (block.films for each in sections for block in each.blocks if isinstance(block, Films))
    assert [(film.target, film.index, film.runs) for film in films] == [(n, n, 30) for n in reversed(range(10, 30))]


def test_each_image_is_compared_with_the_nearest_real_digit(main_job):
    from fooldeap.report.nearest import nearest_digits

    result, folder = main_job
    runs = result.runs[:3]
    found = nearest_digits((folder / "config.yaml").read_text(), runs)
    data = registry.load().get("dataset", "mnist").build({}).load()
    for one, each in zip(found, runs, strict=True):
        own = data.train_images[data.train_labels == each.target]
        squares = np.square(own.astype(np.int64) - each.image.pixels).sum(axis=(1, 2, 3))
        assert np.array_equal(one, own[squares.argmin()])
    assert nearest_digits("classifier: {name: keras, model: mine.keras}", runs) == [None] * 3
    assert nearest_digits("classifier: [", runs) == [None] * 3


def test_a_page_written_again_is_identical(copy, capsys):
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    (copy / "report.html").write_text("something else")
    with pytest.raises(SystemExit) as exit:
        main(["report", str(copy)])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"{copy / 'report.html'}\n"
    assert before == {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    (copy / "report.html").unlink()
    pages.make(copy)
    assert problems_in(copy) == []


def test_snapshots_and_log_may_be_missing(copy):
    for name in ("snapshots.npz", "log.csv", "queries.csv"):
        (copy / name).unlink()
    resealed(copy)
    page = pages.make(copy).read_text()
    assert data_of(page) == []


def test_curves_come_from_snapshots_without_a_log(tmp_path):
    result, _ = run(tiny(targets=[1], reporters=[], stop={"generations": 13}), tmp_path / "run")
    (tmp_path / "run/log.csv").unlink()
    resealed(tmp_path / "run")
    _, confidence, fitness = data_of(pages.make(tmp_path / "run").read_text())
    assert set(confidence["lines"][0]["x"]) <= {each.evaluations for each in result[1].snapshots}
    assert fitness["lines"][0]["y"][-1] == pytest.approx(result[1].score, rel=1e-6)


def test_the_page_can_be_disabled_without_effect_on_the_results(small, tmp_path):
    experiment = tiny(targets=[1, 2], name="small", stop={"generations": 13}, report=False)
    assert experiment.digest == tiny(targets=[1, 2], name="small", stop={"generations": 13}).digest
    fooldeap.run(experiment, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/report.html").exists()
    fooldeap.resume(tmp_path / "run")
    assert not (tmp_path / "run/report.html").exists()
    assert (tmp_path / "run/snapshots.npz").read_bytes() == (small / "snapshots.npz").read_bytes()


def test_a_page_that_fails_does_not_lose_the_results(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr("fooldeap.report.run.run_report", broken)
    message = r"report.html was not written \(ZeroDivisionError: by accident\); all other results are complete"
    with pytest.warns(match=message):
        fooldeap.run(tiny(targets=[1], stop={"generations": 1}), out=tmp_path / "run", quiet=True)
    assert problems_in(tmp_path / "run") == []


def test_resuming_a_finished_run_writes_a_missing_page(copy):
    before = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    fooldeap.resume(copy)
    assert (copy / "report.html").read_bytes() == before


def test_a_run_needs_no_application(tmp_path):
    """Reports, studies, audits, trainings and retrainings are applications, which the core does not import."""
    script = f"""
import sys
names = ("audit", "report", "retrain", "study", "training")
sys.modules |= {{f"fooldeap.{{name}}": None for name in names}}  # as if they were not installed
import fooldeap
options = {{"targets": [1], "stop": {{"generations": 1}}, "plugins": [{str(KIT)!r}]}}
result = fooldeap.run({{"classifier": "tiny"}}, out="run", **options)
assert fooldeap.load("run").markdown() == fooldeap.resume("run").markdown() == result.markdown()
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    assert (tmp_path / "run/result.json").is_file()
    assert not (tmp_path / "run/report.html").exists()


REFUSED = {
    "nothing": (
        lambda folder: (folder / "config.yaml").unlink(),
        "has none of audit.yaml, retrain.yaml, config.yaml, study.yaml, sweep.yaml, tuning.yaml; name a folder",
    ),
    "unfinished": (lambda folder: (folder / "result.json").unlink(), "is not finished; finish it first: fooldeap run"),
    "damaged": (lambda folder: (folder / "log.csv").write_text("x"), "log.csv: was changed: it does not"),
    "missing": (lambda folder: (folder / "snapshots.npz").unlink(), "snapshots.npz: is missing; restore it from a co"),
    "link": (
        lambda folder: (folder / "x").symlink_to("/etc/passwd"),
        "x: is a symbolic link, and links are not followed",
    ),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refused_folder_gives_one_line_and_nothing_is_written(copy, capsys, how):
    (copy / "report.html").unlink()
    change, message = REFUSED[how]
    change(copy)
    with pytest.raises(SystemExit) as exit:
        main(["report", str(copy)])
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fooldeap: {copy}")
    assert message in line
    assert not (copy / "report.html").exists()


def hostile(folder, **changes):
    result = json.loads((folder / "result.json").read_text())
    result.update(changes)
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "report.html").unlink()
    resealed(folder)


def test_an_image_outside_the_folder_is_refused(copy):
    (copy / "snapshots.npz").unlink()
    result = json.loads((copy / "result.json").read_text())
    hostile(copy, runs=[{**each, "image": "../../secret.png"} for each in result["runs"]])
    with pytest.raises(InputError, match=r"names the file '../../secret.png', which is outside this folder"):
        pages.make(copy)
    assert not (copy / "report.html").exists()


@pytest.mark.parametrize("runs", [[{}], [3], {"a": 1}, [{"seed": "x", "target": [], "image": 3}], None])
def test_an_invalid_result_is_refused(copy, runs):
    hostile(copy, runs=runs)
    with pytest.raises(InputError, match="is damaged"):
        pages.make(copy)


def test_no_plugin_is_loaded(copy, tmp_path, monkeypatch):
    hostile(copy)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(re.sub(r"plugins: .*", f"plugins: [{tmp_path / 'evil.py'}]", text))
    (copy / "environment.json").write_text("{}")
    resealed(copy)
    monkeypatch.setattr(registry, "load", None)
    assert "evil.py" in pages.make(copy).read_text()
    assert not (tmp_path / "owned").exists()


def test_names_are_escaped_everywhere(copy):
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    hostile(copy, name=nasty, names=[nasty] * 4, failures={nasty: nasty})
    page = pages.make(copy).read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert data_of(page)[0][0]["title"] == nasty
