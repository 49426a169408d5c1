"""Interrupted, extended and changed studies: results are bit-identical, and no run is repeated."""

import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers.experiments import ROOT
from helpers.resuming import interrupted
from helpers.studies import SELECTIONS, STUDY, bits, compare

import fooldeap
from fooldeap.engine.evolution import Run
from fooldeap.errors import FooldeapWarning, InputError
from fooldeap.study.records import Records


def counted(monkeypatch):
    """Count the evaluations of each run from now on."""
    spent = {}
    settle = Run.finish_generation

    def settled(run):
        spent.setdefault(run.info, 0)
        before = run.statistics.evaluations
        settle(run)
        spent[run.info] += run.statistics.evaluations - before

    monkeypatch.setattr(Run, "finish_generation", settled)
    return spent


@pytest.mark.parametrize("moment", [3, 40, 150])
def test_an_interrupted_study_is_resumed(study, tmp_path, moment):
    with interrupted(
        Run, "finish_generation", after=moment + len(SELECTIONS)
    ) as raised:  # the rehearsals call settle too
        compare(tmp_path / "study")
    assert "to continue: fooldeap compare --resume" in str(raised.value)
    assert not (tmp_path / "study/report.md").exists()
    resumed = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert bits(resumed.folder) == bits(study.folder)
    assert not resumed.outcome.extended


REAL = ["seeds=2", "targets=[2,3]", "budget=1500", "vary={selection: [random, {name: tournament, size: 5}]}"]


@pytest.mark.slow
def test_a_killed_study_on_the_real_network_is_resumed(tmp_path):
    words = [str(ROOT / "configs/studies/selection.yaml"), *REAL]
    command = [sys.executable, "-m", "fooldeap", "compare", "--quiet"]
    subprocess.run([*command, *words, "--out", tmp_path / "whole"], check=True)
    folder = tmp_path / "killed"
    process = subprocess.Popen([*command, *words, "--out", folder])
    while process.poll() is None and not list(folder.glob("variants/*/records/*")):  # until a run has finished
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "--resume", folder], check=True)
    assert bits(folder) == bits(tmp_path / "whole")


def test_finished_runs_are_not_repeated(study, tmp_path, monkeypatch):
    shutil.copytree(study.folder, tmp_path / "study")
    for path in [*tmp_path.glob("study/*.*"), *tmp_path.glob("study/figures/*")]:
        if path.name not in ("study.yaml", "design.json", "environment.json"):
            path.unlink()
    spent = counted(monkeypatch)
    again = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert [run for run, evaluations in spent.items() if evaluations > 10] == []  # only the rehearsals
    assert bits(again.folder) == bits(study.folder)


def test_adding_seeds_runs_only_the_new_seeds(study, tmp_path, monkeypatch):
    shutil.copytree(study.folder, tmp_path / "study")
    spent = counted(monkeypatch)
    more = fooldeap.compare(None, "seeds=5", resume=tmp_path / "study", quiet=True)
    assert {run.seed for run, evaluations in spent.items() if evaluations > 10} == {4, 5}
    monkeypatch.undo()
    at_once = compare(tmp_path / "at_once", seeds=5)
    assert bits(more.folder)["runs.csv"] == bits(at_once.folder)["runs.csv"]
    assert more.outcome.extended
    assert not at_once.outcome.extended
    assert "exploratory" in (more.folder / "report.md").read_text()
    assert fooldeap.compare(resume=more.folder, quiet=True).outcome.extended  # once exploratory, always


def test_finished_runs_that_are_left_out_are_reported(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    fewer = fooldeap.compare(None, "seeds=2", resume=tmp_path / "study", quiet=True)
    seeds, (last, *_) = {run.seed for run in fewer.outcome.runs}, fewer.outcome.left_out
    assert seeds == {1, 2}
    assert all("seed3" in run for run in fewer.outcome.left_out)
    report = (fewer.folder / "report.md").read_text()
    assert f"Finished runs are left out: {last}" in report
    whole = fooldeap.compare(None, "seeds=3", resume=fewer.folder, quiet=True)
    assert whole.outcome.left_out == ()
    assert "left out" not in (whole.folder / "report.md").read_text()


def test_adding_a_variant_runs_only_the_new_variant(study, tmp_path, monkeypatch):
    shutil.copytree(study.folder, tmp_path / "study")
    spent = counted(monkeypatch)
    vary = {"selection": {**SELECTIONS, "wheel": "linear_rank"}}
    more = fooldeap.compare({**STUDY, "vary": vary}, resume=tmp_path / "study", quiet=True)
    assert {run.variant for run, evaluations in spent.items() if evaluations > 10} == {"wheel"}
    assert more.outcome.extended


def test_a_changed_variant_with_the_same_name_is_refused(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    vary = {"selection": {**SELECTIONS, "weak": {"name": "tournament", "size": 3}}}
    with pytest.raises(InputError, match=r"weak/records/seed1-target0.json: was made with another experiment; resume"):
        fooldeap.compare({**STUDY, "vary": vary}, resume=tmp_path / "study", quiet=True)


def test_adding_a_joint_variant_does_not_change_the_other_variants(tmp_path):
    some = {"a": {"selection": "roulette"}, "b": {}}
    more = {**some, "c": {"algorithm": "tiny_map_elites"}}
    given = {"vary": None, "goal": {"confidence": 0.9999}, "seeds": 2, "budget": 300}
    first = compare(tmp_path / "first", variants=some, **given)
    fooldeap.compare({**STUDY, **given, "variants": more}, resume=first.folder, quiet=True)
    at_once = compare(tmp_path / "at_once", variants=more, **given)
    assert bits(first.folder)["curves.csv"] == bits(at_once.folder)["curves.csv"]
    assert bits(first.folder)["runs.csv"] == bits(at_once.folder)["runs.csv"]


def test_a_finished_study_is_resumed_with_workers(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    again = fooldeap.compare(resume=tmp_path / "study", workers=2, quiet=True)
    assert bits(again.folder) == bits(study.folder)


def test_a_refusal_in_the_second_group_changes_no_file(tmp_path):
    other = {"classifier": {"name": "tiny", "sharpness": 0.003}}
    given = {"vary": None, "seeds": 1}
    done = compare(tmp_path / "study", variants={"x": {}, "y": other}, **given)
    before = {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()}
    changed = {**STUDY, **given, "variants": {"x": {}, "y": {**other, "selection": "random"}}}
    with pytest.raises(InputError, match="was made with another experiment"):
        fooldeap.compare(changed, resume=done.folder, quiet=True)
    assert {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()} == before


def test_targets_all_is_refused_if_classifiers_differ_in_classes(tmp_path):
    variants = {"x": {}, "y": {"classifier": "keras"}}
    with pytest.raises(
        InputError, match=r"targets: got all, but the classifiers have 4 and 10 classes; list the targets"
    ):
        compare(tmp_path / "study", vary=None, variants=variants, targets="all")
    assert not (tmp_path / "study").exists()


def test_a_study_changed_before_its_report_is_exploratory(tmp_path):
    with interrupted(Records, "keep", after=5):
        compare(tmp_path / "study")
    assert fooldeap.compare(None, "seeds=4", resume=tmp_path / "study", quiet=True).outcome.extended
    for name in ("summary.json", "runs.csv", "design.json"):  # removing these files does not hide the change
        (tmp_path / "study" / name).unlink()
    assert fooldeap.compare(None, resume=tmp_path / "study", quiet=True).outcome.extended


def test_a_study_changed_before_its_first_record_is_not_exploratory(tmp_path):
    with interrupted(Records, "keep", after=0):
        compare(tmp_path / "study")
    assert not fooldeap.compare(None, "seeds=4", resume=tmp_path / "study", quiet=True).outcome.extended


def test_another_study_is_refused_in_its_folder(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    foreign = {**STUDY, "vary": {"selection": ["roulette", "truncation"]}}
    with pytest.raises(
        InputError, match=r"contains another study, of the variants none, strong, weak; choose a new folder with --out"
    ):
        fooldeap.compare(foreign, resume=tmp_path / "study", quiet=True)


def test_a_variant_with_unseeded_randomness_fails_and_the_others_finish(tmp_path):
    vary = {"mutation": {"good": "random_pixels", "bad": "unseeded"}}
    with interrupted(Records, "keep", after=2):
        compare(tmp_path / "study", vary=vary, goal={"confidence": 0.9999})
    with pytest.warns(FooldeapWarning, match=r"bad failed: .* is not the one recorded"):
        done = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert list(done.outcome.failed) == ["bad"]
    assert len(done.outcome.runs) == 6


@pytest.mark.draws
def test_files_of_an_older_report_are_removed(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    two = {**STUDY, "vary": {"selection": {name: SELECTIONS[name] for name in ("strong", "none")}}}
    assert list(tmp_path.glob("study/figures/critical_differences.*"))
    done = fooldeap.compare(two, resume=tmp_path / "study", quiet=True)
    assert not list(tmp_path.glob("study/figures/critical_differences.*"))
    assert "critical_differences" not in (done.folder / "report.md").read_text()


def test_every_figure_of_the_report_exists(study):
    named = re.findall(r"\]\((figures/\S+)\)", (study.folder / "report.md").read_text())
    assert len(named) == 5
    assert all((study.folder / name).is_file() for name in named)


def test_confidences_above_the_goal_have_no_column(tmp_path):
    done = compare(tmp_path / "study", goal={"confidence": 0.6}, seeds=1)
    report = (done.folder / "report.md").read_text()
    assert "to 50 %" in report
    assert "to 90 %" not in report


def test_variants_that_never_reach_the_goal_are_not_called_identical(tmp_path):
    done = compare(tmp_path / "study", budget=20, goal={"confidence": 0.9999})
    assert "none of their runs reached the goal" in (done.folder / "report.md").read_text()
    assert "identical" not in str(done)


def test_a_damaged_record_is_named(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    record = tmp_path / "study/variants/weak/records/seed2-target0.json"
    record.write_bytes(record.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"seed2-target0.json: is damaged .*; remove it"):
        fooldeap.compare(resume=tmp_path / "study", quiet=True)
    record.unlink()
    assert bits(fooldeap.compare(resume=tmp_path / "study", quiet=True).folder) == bits(study.folder)
