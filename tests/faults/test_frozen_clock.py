"""A clock that does not advance, as on some virtual machines: all ends as it would, and no rate is made up."""

import importlib.util
import json
import math
import time

import pytest
from helpers.experiments import KIT, ROOT, bits, tiny
from test_write_faults import STUDY, study_bits

import fooldeap
from fooldeap.audit.session import audit
from fooldeap.engine.calibration import _fastest, calibrate
from fooldeap.engine.evaluation import Evaluator
from fooldeap.formatting import per_second
from fooldeap.help import doctor
from fooldeap.study import figures
from fooldeap.study.comparison import load
from fooldeap.study.forecast import StudyForecast, forecast

RUN = {
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 8},
    "targets": [0, 2],
    "stop": {"evaluations": 60, "confidence": None},
    "reporters": ["console", "csv", "images"],
}


def freeze(patch):
    for name in ("perf_counter", "monotonic", "time"):
        patch.setattr(time, name, lambda: 1000.0)


def with_and_without_a_clock(work, tmp_path, monkeypatch):
    """Return what a piece of work leaves in a folder by a frozen clock, and by one that goes."""
    with monkeypatch.context() as patch:
        freeze(patch)
        work(tmp_path / "frozen")
    work(tmp_path / "going")
    return tmp_path / "frozen", tmp_path / "going"


def test_a_run(tmp_path, monkeypatch, capsys):
    def work(folder):
        return fooldeap.run(RUN, out=folder)

    frozen, going = with_and_without_a_clock(work, tmp_path, monkeypatch)
    assert bits(frozen) == bits(going)
    assert json.loads((frozen / "result.json").read_text())["seconds"] == 0
    assert "120 evaluations in 0.0 s (0 per second)" in capsys.readouterr().out


def test_a_study_and_its_forecast(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "draw", lambda *_: {"convergence.png": b"a picture"})

    def work(folder):
        return fooldeap.compare(STUDY, out=folder)

    frozen, going = with_and_without_a_clock(work, tmp_path, monkeypatch)
    assert study_bits(frozen) == study_bits(going)
    freeze(monkeypatch)
    told = forecast(load(STUDY))
    assert (told.runs, told.evaluations, told.seconds) == (4, 240, math.inf)
    assert str(told).startswith("2 variants, 4 runs, at most 240 evaluations; the duration is unknown; about ")


def test_a_forecast_by_a_clock_that_goes():
    told = StudyForecast(variants=2, runs=4, evaluations=1000, seconds=8.0, memory=5_000_000)
    rate = "at the 125/s measured here in one process, at most 8 s; about 5 MB of memory"
    assert str(told) == f"2 variants, 4 runs, at most 1,000 evaluations; {rate}"


def test_an_audit(tmp_path, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(f"classifier: tiny\nplugins: [{KIT}]\n")

    def work(folder):
        return audit(tmp_path / "tiny.yaml", budget=20, classes=[1], out=folder)

    frozen, going = with_and_without_a_clock(work, tmp_path, monkeypatch)
    assert (frozen / "classes.csv").read_bytes() == (going / "classes.csv").read_bytes()
    assert (frozen / "report.html").is_file()


def test_the_usual_number_of_images_is_kept_where_no_rate_is_known(monkeypatch):
    assert _fastest({96: 0.0, 512: 0.0, 1024: 0.0, 2048: 0.0}, 1024) == 1024
    assert _fastest({96: 0.0, 512: 0.0}, 1024) == 512
    assert _fastest({96: 0.0, 512: 3.0, 1024: 0.0}, 1024) == 512
    freeze(monkeypatch)
    found = calibrate(Evaluator(tiny().classifier.build()))
    assert (found.depends_on, found.rows) == ("image", 1024)


def test_a_rate_is_unknown_where_no_time_has_passed():
    assert (per_second(10, 4), per_second(10, 0), per_second(0, 0), per_second(3, -1)) == (2.5, 0, 0, 0)


def test_the_doctor(monkeypatch):
    freeze(monkeypatch)
    monkeypatch.setattr(doctor, "MODELS", ("mnist_lenet",))
    (found,) = doctor.models()
    assert found.state == "ok"
    assert found.message.endswith("test digits correctly")


def test_benchmarks_measure_nothing(monkeypatch):
    spec = importlib.util.spec_from_file_location("_measure", ROOT / "benchmarks/_measure.py")
    measure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measure)
    measure.check_clock()
    freeze(monkeypatch)
    with pytest.raises(SystemExit, match="the clock of this machine does not advance"):
        measure.options("it measures")
