"""The options `--dry-run`, which writes nothing, and `--seed`, which is a short form of an override."""

import re

import pytest
from helpers.commands import call
from helpers.experiments import KIT

import fooldeap
from fooldeap.runs import forecast

SMALL = ["classifier=tiny", "reporters=[csv]", "report=false", "--plugins", str(KIT)]


@pytest.fixture(autouse=True)
def experiment(tmp_path, monkeypatch):
    """An experiment of two targets and three seeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    (tmp_path / "small.yaml").write_text(
        "targets: [0, 2]\nseeds: 3\nalgorithm: {name: generational, population: 20}\n"
        "stop: {evaluations: 500, confidence: null}\n"
    )
    return tmp_path


def test_a_dry_run_of_an_experiment_writes_nothing(experiment, capsys):
    assert call("run", "small.yaml", "--dry-run", *SMALL) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(
        r"small: 6 runs, at most 3,000 evaluations; at the [\d,]+/s measured here in one process, at most \d+ s; "
        r"about [\d,]+ MB of memory\n",
        said,
    )
    assert [path.name for path in experiment.iterdir()] == ["small.yaml"]


def test_the_estimate_is_an_upper_limit_of_what_the_experiment_takes(capsys):
    assert call("run", "small.yaml", "--dry-run", *SMALL, "stop.generations=9") == 0
    most = int(re.search(r"at most ([\d,]+) evaluations", capsys.readouterr().out)[1].replace(",", ""))
    taken = fooldeap.run("small.yaml", *SMALL[:3], "stop.generations=9", plugins=[KIT], out="run", quiet=True)
    assert 0.5 * most < taken.evaluations <= most == 6 * 10 * 20


def test_images_that_cost_money_are_not_shown_in_a_dry_run(capsys):
    assert call("run", "small.yaml", "--dry-run", *SMALL, "classifier=billable") == 0
    assert "at most 3,000 evaluations; the duration is unknown; about" in capsys.readouterr().out


def test_a_dry_run_of_a_resumed_experiment_is_rejected(capsys):
    assert call("run", "--resume", "run", "--dry-run") == 2
    assert "--dry-run estimates a new experiment; it cannot be combined with --resume" in capsys.readouterr().err


def test_the_option_seed_is_the_override_seed(experiment, capsys):
    for number, words in enumerate((["--seed", "7"], ["seed=7"], [])):
        assert call("run", "small.yaml", *words, *SMALL, "--quiet", "--out", f"run{number}") == 0
    first, second, third = ((experiment / f"run{number}/log.csv").read_bytes() for number in range(3))
    assert first == second != third


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "small.yaml", "--seed", "7", "seed=3"], "--seed: got 'seed=3' too, expected one of them"),
        (["run", "small.yaml", "--seed", "-1"], "command line: seed: got -1"),
        (["run", "small.yaml", "--seed", "x"], "Invalid value for '--seed'"),
        (["run", "--resume", "run", "--seed", "7"], "--resume: got 'seed=7', expected"),
        (["compare", "small.yaml", "--seed", "7", "seed=3"], "--seed: got 'seed=3' too, expected one of them"),
        (["audit", "tiny", "--seed", "7", "seed=3"], "--seed: got 'seed=3' too, expected one of them"),
        (["audit", "--resume", "x", "--seed", "7"], "--resume cannot be combined with MODEL, --images, --budget"),
    ],
)
def test_a_wrong_seed_is_one_line(words, message, capsys):
    assert call(*words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
