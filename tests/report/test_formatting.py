"""Figures in print: nothing looks like more than it is, and one image has one confidence wherever it is shown."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from helpers.experiments import tiny
from hypothesis import given
from hypothesis import strategies as st

import fooldeap
from fooldeap import formatting
from fooldeap.report.model import Chart, Film, Line
from fooldeap.report.pictures import Pictures, film_data
from fooldeap.results import Snapshot
from fooldeap.study import tables


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1, "100 %"),
        (math.nextafter(1, 0), "99.999 %"),
        (0.9999, "99.990 %"),
        (math.nextafter(0.9999, 0), "99.989 %"),
        (0.999939, "99.993 %"),
        (1e-5, "0.001 %"),
        (math.nextafter(1e-5, 0), "< 0.001 %"),
        (1e-300, "< 0.001 %"),
        (0, "0 %"),
    ],
)
def test_a_confidence_is_rounded_down(share, text):
    assert formatting.percent(share) == formatting.percent(np.float64(share)) == text


@given(st.floats(1e-5, 1))
def test_shown_confidence_is_rounded_down_by_less_than_a_thousandth_percent(share):
    shown = Fraction(formatting.percent(share).removesuffix(" %")) / 100
    assert shown <= Fraction(repr(share)) < shown + Fraction(1, 100_000)


@pytest.mark.parametrize(
    ("share", "text"), [(1, "100"), (0.9996, "99.9"), (0.9994, "99.9"), (0.99, "99"), (2 / 3, "66.7"), (0, "0")]
)
def test_share_is_100_percent_only_if_it_is_one(share, text):
    assert tables.percent(share) == text


@given(st.floats(0, 1))
def test_a_share_keeps_its_first_digits(share):
    kept = formatting.rounded_down(share, 7)
    assert kept <= share
    assert kept == pytest.approx(share, rel=1.1e-6, abs=0)


def test_a_page_is_not_given_more_than_there_is(tmp_path):
    almost = math.nextafter(1, 0)
    chart = Chart("Growth", "images", "confidence", [Line("3", [1], [almost])], percent=True)
    assert Pictures(tmp_path).chart(chart)["lines"][0]["y"][0] == 0.9999999
    logits = np.array([0, -35], np.float32)
    film = film_data(Film("3", 0, ""), [Snapshot(0, 1, 0.5, np.zeros((2, 2, 1), np.uint8), logits)])
    assert film["probabilities"][0][0] == 0.9999999


def test_an_image_has_one_confidence_wherever_it_is_shown(tmp_path, capsys):
    experiment = tiny(targets=[1], stop={"evaluations": 100}, reporters=["console"], report=True)
    result = fooldeap.run(experiment, out=tmp_path / "run")
    shown = formatting.percent(result[1].confidence)
    pages = ["table.md", "report.html"]
    texts = [capsys.readouterr().out, *((tmp_path / "run" / page).read_text() for page in pages)]
    for text in texts:
        percentages = re.findall(r"(?:[\d.]+|< 0\.001) %", text.replace("\u00a0", " "))
        assert shown in percentages


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "image", "0 images"), (1, "image", "1 image"), (15800, "run", "15,800 runs"), (2, "class", "2 classes")],
)
def test_counted_nouns_have_the_right_form(number, noun, text):
    assert formatting.counted(number, noun) == text
