"""A sweep: each combination is an ordinary experiment, ambiguous values are refused, interruptions change nothing."""

import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest
from helpers.commands import call
from helpers.experiments import KIT, ROOT, TINY, bits
from helpers.resuming import interrupted

import fooldeap
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError
from fooldeap.runs import forecast
from fooldeap.runs.run_folder import RunFolder
from fooldeap.sweeps import definition

SMALL = {**TINY, "targets": [0, 1], "reporters": ["csv", "images"], "stop": {"evaluations": 150, "confidence": 0.95}}
WORDS = ["mutation.rate=0.02,0.2", "selection=tournament,roulette"]
SELECTIONS = ("tournament", "roulette")
LABELS = [f"mutation.rate={rate},selection={selection}" for rate in ("0.02", "0.2") for selection in SELECTIONS]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished sweep of four combinations."""
    return fooldeap.sweep(SMALL, *WORDS, plugins=[KIT], out=tmp_path_factory.mktemp("sweep") / "made", quiet=True)


def everything(folder):
    """Return the files of a sweep that must be the same bits."""
    own = {name: (folder / name).read_bytes() for name in ("results.csv", "table.md", "sweep.json", "report.json")}
    return own, {label: bits(folder / label) for label in LABELS}


# --- Results ----------------------------------------------------------------------------------------------------------


def test_each_combination_equals_a_single_run(made, tmp_path):
    assert [row.folder for row in made.rows] == LABELS
    for label in LABELS:
        single = fooldeap.run(SMALL, *label.split(","), plugins=[KIT], out=tmp_path / label, quiet=True)
        assert bits(single.folder) == bits(made.folder / label)
        assert (single.folder / "config.yaml").read_bytes() == (made.folder / label / "config.yaml").read_bytes()


def test_the_table_has_the_numbers_of_the_results(made):
    with (made.folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["mutation.rate"], row["selection"]) for row in rows] == [
        (rate, selection) for rate in ("0.02", "0.2") for selection in ("tournament", "roulette")
    ]
    for row in rows:
        runs = json.loads((made.folder / row["folder"] / "result.json").read_text())["runs"]
        reached = [run["evaluations_to_goal"] for run in runs if run["evaluations_to_goal"] is not None]
        assert (int(row["reached"]), int(row["runs"])) == (len(reached), len(runs))
        assert row["evaluations_to_goal"] == (str(statistics.median(reached)) if len(reached) == len(runs) else "")
        assert float(row["confidence"]) == statistics.median(run["confidence"] for run in runs)
        assert int(row["evaluations"]) == sum(run["evaluations"] for run in runs)
    best = min(rows, key=lambda row: (-int(row["reached"]), float(row["evaluations_to_goal"] or "inf")))
    assert f"Best of 4 combinations: mutation.rate={best['mutation.rate']}, selection={best['selection']}" in str(made)
    assert made.load(made.rows[1])[1].confidence == fooldeap.load(made.folder / LABELS[1])[1].confidence


def test_the_other_commands_know_the_folder(made, tmp_path, capsys):
    assert call("runs", made.folder.parent) == 0
    assert "  sweep  finished  Best of 4 combinations: " in capsys.readouterr().out
    assert fooldeap.verify(made.folder).problems == ()
    assert call("export", made.folder, "--npz", tmp_path / "images.npz") == 0
    assert "8 images with labels" in capsys.readouterr().out
    page = (made.folder / "report.html").read_text()
    assert call("report", made.folder) == 0
    assert page.count("<img") == (made.folder / "report.html").read_text().count("<img") >= 8


# --- Resume -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [9, 30, 45, 60])
def test_an_interrupted_sweep_is_resumed(made, tmp_path, after):
    folder = tmp_path / "cut"
    with interrupted(Run, "finish_generation", after=after) as raised:
        fooldeap.sweep(SMALL, *WORDS, plugins=[KIT], out=folder, quiet=True)
    assert f"to continue: fooldeap run --resume {folder}" in str(raised.value)
    assert call("runs", tmp_path) == 0
    done = fooldeap.sweep(resume=folder, quiet=True)
    assert everything(folder) == everything(made.folder)
    assert done.rows == made.rows


@pytest.mark.slow
@pytest.mark.parametrize("finished", [0, 1, 2] if "FOOLDEAP_FAULTS" in os.environ else [1])
def test_a_killed_sweep_on_the_real_network_is_resumed(tmp_path, finished):
    words = [ROOT / "configs/sweeps/mutation_rate.yaml", "targets=[3]", "stop.evaluations=600", *WORDS]
    command = [sys.executable, "-m", "fooldeap", "run", "--quiet"]
    assert call("run", *words, "--quiet", "--out", tmp_path / "whole") == 0
    folder = tmp_path / "killed"
    process = subprocess.Popen([*command, *words, "--out", folder])
    while process.poll() is None and len(list(folder.glob("*/journal/*"))) <= finished:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "--resume", folder], check=True)
    assert everything(folder) == everything(tmp_path / "whole")


def test_finished_combinations_are_skipped(made, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert call("run", "--resume", folder) == 0
    assert capsys.readouterr().out == f"{folder}: is already finished; see {folder / 'table.md'}\n"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    shutil.rmtree(folder / LABELS[2])
    (folder / "SHA256SUMS").unlink()
    started, create = [], RunFolder.create
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "create", lambda *each: started.append(each[1].name) or create(*each))
        fooldeap.sweep(resume=folder, quiet=True)
    assert started == [LABELS[2]]
    assert everything(folder) == everything(made.folder)


def test_a_changed_sweep_file_is_refused(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "copy")
    file = tmp_path / "copy/sweep.yaml"
    file.write_text(file.read_text().replace("rate: 0.02", "rate: 0.03"))
    with pytest.raises(InputError, match=r"sweep.yaml: does not match its checksum"):
        fooldeap.sweep(resume=tmp_path / "copy", quiet=True)


# --- Values -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "classifier: tiny\nreporters: [csv]\nreport: false\ntargets: [0, 1]\nstop: {evaluations: 60}\n"
        "algorithm: {name: generational, population: 12}\n"
    )
    return tmp_path / "small.yaml"


def load(source, *words, **arguments):
    made = definition.load(source, words, arguments=arguments, plugins=[KIT])
    return {each.label: each.experiment for each in made.combinations}


@pytest.mark.parametrize(
    ("word", "labels"),
    [
        ("targets=[1,2],[3,0]", ["targets=1-2", "targets=3-0"]),
        ("targets=choice(1,2)", ["targets=1", "targets=2"]),
        ("seed=range(1,4)", ["seed=1", "seed=2", "seed=3"]),
        (
            "mutation={name: creep, step: 9},random_pixels",
            ["mutation=creep-step-9", "mutation=random_pixels"],
        ),
        ("stop.confidence=0.5,null", ["stop.confidence=0.5", "stop.confidence=null"]),
        ("classifier.model=a.keras,b.keras", ["classifier.model=a.keras", "classifier.model=b.keras"]),
        ("selection='tournament',\"roulette\"", ["selection=tournament", "selection=roulette"]),
    ],
)
def test_combinations(file, word, labels):
    more = {"classifier": "keras"} if word.startswith("classifier") else {}
    assert list(load(file, word, **more)) == labels


def test_a_parameter_of_a_swept_plugin_holds_for_all_its_values(file):
    found = load(file, "mutation.rate=0.3", "mutation=random_pixels,creep")
    assert [each.mutation.plugin.name for each in found.values()] == ["random_pixels", "creep"]
    assert [each.mutation.values["rate"] for each in found.values()] == [0.3, 0.3]


def test_values_in_a_file(file, tmp_path):
    (tmp_path / "sweep.yaml").write_text(
        "base: small.yaml\nsweep: {mutation.rate: [0.1, 0.2], selection: [{name: tournament, size: 3}, roulette]}\n"
    )
    found = load(tmp_path / "sweep.yaml")
    assert [(each.mutation.values["rate"], each.selection.plugin.name) for each in found.values()] == [
        *((0.1, name) for name in ("tournament", "roulette")),
        *((0.2, name) for name in ("tournament", "roulette")),
    ]
    assert next(iter(load(tmp_path / "sweep.yaml", "selection=random"))) == "mutation.rate=0.1"
    found = load(tmp_path / "sweep.yaml", "seed=1,2", "mutation.rate=0.5", "selection=random")
    assert list(found) == ["seed=1", "seed=2"]


def test_long_values_are_numbered(file):
    words = ["classifier.model=" + ",".join(letter * 130 for letter in "ab")]
    assert list(load(file, *words, classifier="keras")) == ["001", "002"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("targets=1,2", "targets: got '1,2', which may mean one list or a sweep; for one experiment with this list, "
         "write targets=[1,2]; for a sweep, write targets=choice(1,2)"),
        ("reporters=csv,images", "reporters: is the same for all combinations of a sweep; give it one value; a list is "
         "written in brackets"),
        ("mutation.rate=0.1,7", "command line: mutation.rate: got 7, expected"),
        ("mutation.rate=0.1,0.1", "mutation.rate: got '0.1' twice"),
        ("selection=tournament,rulette", "did you mean 'roulette'?"),
        ("name=a,b", "name: is the same for all combinations"),
        ("seed=range(0,2000)", "which has 2000 values, expected 1 to 1000"),
        ("targets=[1,2],[9]", "targets: got 9, expected classes from 0 to 3"),
    ],
)  # fmt: skip
def test_a_wrong_sweep_is_one_line_and_writes_nothing(file, tmp_path, capsys, word, message):
    assert call("run", "small.yaml", word, "--plugins", KIT) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_a_text_with_a_comma_is_not_taken_for_a_sweep(file, tmp_path):
    with pytest.raises(InputError, match="may mean one text or a sweep"):
        load(file, "classifier.device=a,b", classifier="keras")
    (tmp_path / "a,b.keras").touch()
    with pytest.raises(InputError, match="may mean one text or a sweep"):
        load(file, "classifier.model=a,b.keras", classifier="keras")
    found = load(file, "classifier.model='a,b.keras'", "seed=1,2", classifier="keras")
    assert {each.classifier.values["model"] for each in found.values()} == {str(tmp_path / "a,b.keras")}


def test_a_sweep_that_is_resumed_takes_no_overrides(made, capsys):
    assert call("run", "--resume", made.folder, "stop.evaluations=900") == 2
    assert "--resume: a sweep is resumed without overrides" in capsys.readouterr().err


def test_a_dry_run_counts_all_combinations_and_writes_nothing(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    assert call("run", "small.yaml", *WORDS, "--dry-run", "--plugins", KIT) == 0
    assert capsys.readouterr().out.startswith("small: 4 combinations, 8 runs, at most 480 evaluations; at the ")
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_values_of_one_key_that_need_workers_give_the_same_bits(made, tmp_path):
    fooldeap.sweep(SMALL, *WORDS, plugins=[KIT], out=tmp_path / "two", workers=2, quiet=True)
    assert everything(tmp_path / "two")[1] == everything(made.folder)[1]
