"""Results in notebooks: HTML without scripts, tables for pandas, and progress bars."""

import builtins
import csv
import re
import sys
import types
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas
import pytest
from helpers.experiments import KIT, TINY
from helpers.studies import STUDY, compare

import fooldeap
from fooldeap.audit.session import audit
from fooldeap.errors import InputError
from fooldeap.study import progress

SHORT = {**TINY, "targets": [0, 1, 2], "seeds": 2, "stop": {"evaluations": 200, "confidence": 0.97}}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The result of six runs."""
    return fooldeap.run(SHORT, plugins=[KIT], out=tmp_path_factory.mktemp("run") / "run", quiet=True)


class Page(HTMLParser):
    """Collects the tags and texts of HTML, and checks that every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def test_a_result_is_a_table_images_and_curves(result):
    page = Page(result._repr_html_())
    assert page.count("tr") == 1 + len(result)
    assert page.count("img") == page.count("polyline") == len(result)
    assert page.count("script") == 0
    cells = [cell for run in result for cell in result.cells(run)]
    assert [text for text in page.texts if text in set(cells)][: len(cells)] == cells
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_a_curve_ends_at_the_best_confidence(result):
    html = result._repr_html_()
    most = max(run.evaluations for run in result)
    for run, points in zip(result, re.findall(r'points="([^"]*)"', html), strict=True):
        x, y = map(float, points.split()[-1].split(","))
        assert x == pytest.approx(40 + run.log[-1].evaluations / most * 480, abs=0.06)
        assert y == pytest.approx(160 - 140 * max(row.confidence for row in run.log), abs=0.06)


def test_text_from_outside_is_escaped(result):
    named = replace(result, names=("<script>alert(1)</script>", "b", "c", "d"))
    assert "<script" not in named._repr_html_()
    assert "&lt;script&gt;" in named._repr_html_()


def test_results_in_memory_and_with_many_targets_are_shown(result):
    memory = replace(result, folder=None)
    assert memory._repr_html_() == result._repr_html_()
    runs = tuple(replace(run, target=number) for number, run in enumerate(result.runs * 5))
    many = replace(result, runs=runs)
    page = Page(many._repr_html_())
    assert page.count("img") == 10
    assert "10 of 30 images:" in page.texts


def test_a_result_as_a_frame(result):
    frame = result.to_pandas()
    assert frame.shape[0] == len(result)
    for row, run in zip(frame.to_dict("records"), result, strict=True):
        assert (row["target"], row["seed"], row["confidence"]) == (run.target, run.seed, run.confidence)
        assert pandas.isna(row["evaluations_to_50"]) == ("0.5" not in run.evaluations_to)
    assert frame.groupby("target")["confidence"].median()[1] == np.median(
        [run.confidence for run in result if run.target == 1]
    )


def test_without_pandas_the_error_names_the_extra(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"to_pandas needs pandas; install it: pip install 'fooldeap\[pandas\]'"):
        result.to_pandas()


def test_an_image_prints_one_line(result):
    text = str(result[1, 2].image)
    assert text == repr(result[1, 2].image) == "FoolingImage(8 x 8, grey)"


def test_a_study_and_a_sweep_and_an_audit_are_shown(tmp_path):
    study = compare(tmp_path / "study", seeds=1, budget=100)
    page = Page(study._repr_html_())
    assert page.count("table") >= 2
    assert study.report.lead in page.texts
    frame = study.to_pandas()
    with (study.folder / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(frame.columns) == list(rows[0])
    assert [str(each) for each in frame["area"]] == [row["area"] for row in rows]

    sweep = fooldeap.sweep(SHORT, "selection=tournament,roulette", plugins=[KIT], out=tmp_path / "sweep", quiet=True)
    page = Page(sweep._repr_html_())
    assert page.count("img") == 12
    assert list(sweep.to_pandas()["selection"]) == ["tournament", "roulette"]

    model = tmp_path / "tiny.yaml"
    model.write_text(f"classifier: tiny\nplugins: [{KIT}]\n")
    folder = audit(model, budget=40, classes=[0, 2], out=tmp_path / "audit", quiet=True)
    loaded = fooldeap.Audit(folder)
    assert loaded.report.lead in Page(loaded._repr_html_()).texts
    assert str(loaded).startswith(loaded.report.lead[:40])
    with (folder / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    frame = loaded.to_pandas()
    assert list(frame.columns) == list(rows[0])
    assert list(frame["confidence"]) == [float(row["confidence"]) for row in rows]
    (folder / "classes.csv").write_text("")
    with pytest.raises(InputError, match=r"classes.csv: .*; restore it from a copy"):
        fooldeap.Audit(folder)


@pytest.fixture
def shown(monkeypatch):
    """What is shown in the output of a cell, each time in place of the earlier output."""
    shown = []

    class ZMQInteractiveShell:
        """The shell of a notebook, as rich recognises it."""

    handle = types.SimpleNamespace(update=shown.append)
    display = types.ModuleType("IPython.display")
    display.HTML, display.display = str, lambda html, display_id=False, **more: handle
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_shows_progress_bars(shown, tmp_path):
    fooldeap.run({**SHORT, "reporters": [{"name": "console", "every": 1e-9}]}, plugins=[KIT], out=tmp_path / "run")
    assert shown[-1] == ""
    last = Page(shown[-2])
    values = [float(attributes["value"]) for tag, attributes in last.tags if tag == "progress"]
    assert len(values) == 1 + 6
    assert all(0 <= value <= 1 for value in values)
    assert any("%" in text for text in last.texts)


def test_a_notebook_shows_the_progress_of_a_study(shown, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    fooldeap.compare({**STUDY, "seeds": 1}, out=tmp_path / "study")
    assert shown[-1] == ""
    assert [column.header for column in shown[-2].columns] == ["variant", "runs done", "reached the goal here"]
    assert shown[-2].row_count == 3
