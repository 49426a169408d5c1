"""The search: costs, racing, budgets, strategies, and the same bits after any interruption."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers.commands import call
from helpers.experiments import KIT
from ruamel.yaml import YAML
from scipy.stats import wilcoxon

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.result_tools.verify import verify
from fooldeap.runs.folder import problems_in
from fooldeap.tuning.instances import RunCost
from fooldeap.tuning.session import tune

BITS = ("trials.csv", "runs.csv", "best.yaml", "summary.json", "unseen/other-seeds/runs.csv")
TUNING = {
    "name": "small",
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 20},
    "selection": {"name": "tournament", "size": 2},
    "mutation": {"name": "random_pixels", "rate": 0.2},
    "targets": [0, 2],
    "seeds": 4,
    "goal": {"confidence": 0.97},
    "budget": 300,
    "images": 9000,
    "block": 4,
    "search": {
        "algorithm.population": {"from": 4, "to": 60, "log": True},
        "algorithm.elites": {"from": 0, "to": 10},
        "selection": ["tournament", "random"],
        "selection.size": {"from": 2, "to": 10, "when": {"selection": "tournament"}},
        "mutation.rate": {"from": 0.002, "to": 0.5, "log": True},
    },
    "unseen": {"other-seeds": {"seeds": 5}},
    "report": False,
}


def bits(folder):
    return {name: (folder / name).read_bytes() for name in BITS}


def rows(folder, name="trials.csv"):
    return list(csv.DictReader((folder / name).read_text().splitlines()))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return tune(TUNING, out=tmp_path_factory.mktemp("tuning") / "whole", quiet=True).folder


def test_costs_are_logarithms_with_a_penalty():
    assert RunCost(100, 120).logarithm(300) == 2
    assert RunCost(None, 300).logarithm(300) == math.log10(3000)


def test_the_search_stays_within_its_budget(done):
    images = [int(row["images"]) for row in rows(done)]
    assert 9000 - 300 < sum(images) <= 9000
    assert sum(int(row["evaluations"]) for row in rows(done, "runs.csv")) == sum(images)


def test_ratios_are_geometric_means_over_the_same_instances(done):
    costs = {}
    for row in rows(done, "runs.csv"):
        cost = math.log(int(row["evaluations_to_goal"] or 3000))
        costs.setdefault(int(row["trial"]), {})[row["targets"], row["seed"]] = cost
    for row in rows(done):
        own = costs.get(int(row["trial"]))
        if own and row["ratio_to_initial"]:
            mean = sum(own[key] - costs[0][key] for key in own) / len(own)
            assert float(row["ratio_to_initial"]) == pytest.approx(math.exp(mean))
            assert float(row["mean_images_to_goal"]) == pytest.approx(math.exp(sum(own.values()) / len(own)))


def test_configurations_stop_early_where_wilcoxons_test_says_so(done):
    """Repeat every decision with scipy."""
    trials, runs = rows(done), {}
    for row in rows(done, "runs.csv"):
        cost = math.log10(int(row["evaluations_to_goal"] or 3000))
        runs.setdefault(int(row["trial"]), []).append(cost)
    assert {"complete", "stopped early"} <= {row["state"] for row in trials}
    best = 0
    for number, row in enumerate(trials[:-1]):
        own, other = runs.get(number, []), runs[best]
        if number and row["state"] in ("complete", "stopped early"):
            for length in range(4, 8, 4):
                differences = [a - b for a, b in zip(own[:length], other, strict=False)]
                worse = wilcoxon(differences, alternative="greater", zero_method="zsplit").pvalue < 0.1
                mine = sum(a - b for a, b in zip(own[:length], runs[0], strict=False)) / length
                theirs = sum(a - b for a, b in zip(other, runs[0], strict=True)) / 8
                stopped = row["state"] == "stopped early" and len(own) == length
                assert stopped == (worse and mine > theirs)
        if row["state"] == "complete" and sum(own) < sum(other):
            best = number
    assert best_of(done) == best


def best_of(folder):
    return json.loads((folder / "summary.json").read_text())["strategies"][0]["best"]


def test_the_best_configuration_can_be_run_and_gives_the_same_images(done, tmp_path):
    best = YAML(typ="safe").load(done / "best.yaml")
    number = str(best_of(done))
    result = fooldeap.run(done / "best.yaml", out=tmp_path / "run", quiet=True)
    expected = {(row["targets"], row["seed"]): row["evaluations_to_goal"] for row in rows(done, "runs.csv")
                if row["trial"] == number}  # fmt: skip
    found = {(str(each.target), str(each.seed)): str(each.evaluations_to_goal or "") for each in result.runs}
    assert found == expected
    assert config.load(done / "best.yaml").data()["algorithm"] == best["algorithm"]


def test_the_report_states_whether_the_gain_carried_over(done):
    text = (done / "report.md").read_text()
    assert "other-seeds: the tuned configuration needs" in text
    assert ("The gain carried over." in text) or ("A gain is not shown." in text)
    assert (done / "unseen/other-seeds/report.md").is_file()


def test_the_commands_for_folders_know_a_tuning(done, tmp_path, capsys):
    copy = shutil.copytree(done, tmp_path / "runs/copy")
    assert call("runs", tmp_path / "runs") == 0
    assert "tuning" in capsys.readouterr().out
    assert call("report", copy) == 0
    assert (copy / "report.html").is_file()
    assert call("tune", "--resume", copy) == 0
    assert "is already finished" in capsys.readouterr().out
    assert call("export", copy, "--npz", tmp_path / "x.npz") == 2
    assert "export one of its studies" in capsys.readouterr().err


def test_verify_repeats_the_search(done, tmp_path):
    copy = shutil.copytree(done, tmp_path / "copy")
    assert verify(copy, sample=5).problems == ()
    assert problems_in(copy) == []
    path = copy / "optuna.journal"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(
        line.replace("[[", "[[1", 1) if '"trial_id":0,' in line and '"results"' in line else line for line in lines
    ))  # fmt: skip
    problems = verify(copy, sample=1000).problems
    assert any("trial 0" in problem and "differs from the repeated run" in problem for problem in problems)
    assert any(problem.startswith("trials.csv: ") for problem in problems)


# --- Interruptions --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process was killed."""


@pytest.mark.slow
def test_a_search_killed_at_any_entry_of_its_journal_gives_the_same_bits(done, tmp_path, monkeypatch):
    from optuna.storages.journal import JournalFileBackend

    append = JournalFileBackend.append_logs
    entries = len((done / "optuna.journal").read_text().splitlines())
    for moment in [*range(1, 14), *range(14, entries, 29)]:
        written = 0

        def interrupted(self, logs, moment=moment):
            nonlocal written
            if written == moment:
                raise Killed
            written += len(logs)
            append(self, logs)

        folder = tmp_path / str(moment)
        monkeypatch.setattr(JournalFileBackend, "append_logs", interrupted)
        with pytest.raises(Killed):
            tune(TUNING, out=folder, quiet=True)
        monkeypatch.setattr(JournalFileBackend, "append_logs", append)
        assert not (folder / "trials.csv").exists()
        with (folder / "optuna.journal").open("a") as journal:
            journal.write('{"op_code":')  # an incomplete line
        tune(resume=folder, quiet=True)
        assert bits(folder) == bits(done), moment


@pytest.mark.slow
def test_a_killed_tuning_gives_the_same_bits(done, tmp_path):
    (tmp_path / "small.yaml").write_text((done / "tuning.yaml").read_text())
    folder, command = tmp_path / "run", [sys.executable, "-m", "fooldeap", "tune"]
    for size in (2000, 15_000, None):
        words = ["--resume", folder] if folder.exists() else [tmp_path / "small.yaml", "--out", folder]
        process = subprocess.Popen([*command, *words, "--quiet"], cwd=tmp_path)
        journal = folder / "optuna.journal"
        while size is not None and process.poll() is None:
            if journal.is_file() and journal.stat().st_size > size:
                process.kill()
            time.sleep(0.005)
        assert process.wait() == (0 if size is None else -signal.SIGKILL)
    assert bits(folder) == bits(done)


def test_a_resumed_tuning_takes_no_keys(done, tmp_path):
    copy = shutil.copytree(done, tmp_path / "copy")
    with pytest.raises(InputError, match=r"--resume: got 'images=20000', expected no keys"):
        tune(None, "images=20000", resume=copy)


def test_another_version_of_optuna_is_refused(done, tmp_path, monkeypatch):
    import optuna

    copy = shutil.copytree(done, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    monkeypatch.setattr(optuna, "__version__", "0.1")
    with pytest.raises(fooldeap.RunError, match=r"optuna has changed from .* to 0\.1"):
        tune(resume=copy, quiet=True)


# --- Special searches -----------------------------------------------------------------------------------------------


def test_invalid_and_repeated_configurations_use_no_images(tmp_path):
    search = {"algorithm.population": {"choices": [20, 10]}, "algorithm.elites": {"choices": [1, 15]}}
    folder = tune({**TUNING, "search": search}, out=tmp_path / "run", quiet=True).folder
    found = {row["state"] for row in rows(folder)}
    assert {"complete", "invalid", "repeated"} <= found
    assert all(row["images"] == "0" for row in rows(folder) if row["state"] in ("invalid", "repeated"))
    assert "expected fewer than the population of 10" in (folder / "report.md").read_text()


def test_without_a_better_configuration_the_initial_one_is_kept(tmp_path):
    search = {"mutation.rate": {"choices": [0.2, 1.0]}}
    done = tune({**TUNING, "search": search}, out=tmp_path / "run", quiet=True)
    assert "No configuration was better than the initial one." in str(done.report.lead)
    assert not (done.folder / "unseen").exists()
    assert config.load(done.folder / "best.yaml").mutation.values["rate"] == 0.2


@pytest.mark.slow
def test_strategies_are_tuned_apart_and_compared_together(tmp_path):
    search = {"mutation.rate": {"from": 0.002, "to": 0.5, "log": True}}
    strategies = {
        "plain": {"search": search},
        "steady": {"algorithm": "steady_state", "search": search},
        "together": {"algorithm": {"name": "map_elites", "population": 20}, "search": search},
    }
    content = {key: value for key, value in TUNING.items() if key != "search"}
    folder = tune({**content, "images": 12_000, "strategies": strategies}, out=tmp_path / "run", quiet=True).folder
    for name in strategies:
        own = [row for row in rows(folder) if row["strategy"] == name]
        assert sum(int(row["images"]) for row in own) <= 12_000
        assert config.load(folder / f"best/{name}.yaml").algorithm.plugin.name
    joint = [row for row in rows(folder, "runs.csv") if row["strategy"] == "together"]
    assert {row["targets"] for row in joint} == {"0 2"}
    assert verify(folder, sample=5).problems == ()
    assert "plain" in (folder / "report.md").read_text()
