"""Studies: the same bits whatever the order, the workers and the interruptions; nothing is evaluated twice."""

import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import KIT, ROOT, TINY
from conftest import run as run_alone

import fooldeap
from fooldeap import config
from fooldeap.bench import Bench
from fooldeap.errors import FooldeapWarning, InputError, RunError
from fooldeap.evolution import Run
from fooldeap.study import definition
from fooldeap.study.records import Record, Records, _area, grid

pytestmark = pytest.mark.usefixtures("undrawn")
SELECTIONS = {"strong": {"name": "tournament", "size": 6}, "weak": {"name": "tournament", "size": 2}, "none": "random"}
STUDY = {
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 10},
    "vary": {"selection": SELECTIONS},
    "seeds": 3,
    "targets": [0, 2],
    "goal": {"confidence": 0.97},
    "budget": 600,
}
BITS = ("runs.csv", "curves.csv", "summary.json")


def compare(folder, **changes):
    return fooldeap.compare({**STUDY, **changes}, out=folder, quiet=True)


def bits(folder):
    return {name: (folder / name).read_bytes() for name in BITS}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study: its comparison."""
    return compare(tmp_path_factory.mktemp("study") / "study")


def counted(monkeypatch):
    """Count the evaluations that runs enter into their books from now on, by variant."""
    spent = {}
    settle = Run.settle

    def settled(run):
        spent.setdefault(run.info, 0)
        before = run.tally.evaluations
        settle(run)
        spent[run.info] += run.tally.evaluations - before

    monkeypatch.setattr(Run, "settle", settled)
    return spent


# --- What is found --------------------------------------------------------------------------------------------------


def test_each_run_is_that_of_the_variant_alone(study):
    for name, selection in SELECTIONS.items():
        stop = {"confidence": 0.97, "evaluations": 600, "generations": 2400}
        given = {**TINY, "algorithm": STUDY["algorithm"], "selection": selection, "stop": stop, "seeds": 3}
        result, _ = run_alone(config.load({}, arguments={**given, "targets": [0, 2]}, plugins=[KIT]))
        for alone in result:
            row = study.outcome.run(name, alone.target, alone.seed)
            assert row.evaluations_to_goal == alone.evaluations_to_goal
            assert (row.evaluations, row.confidence, row.score) == (alone.evaluations, alone.confidence, alone.score)
            image = study.outcome.images[name, alone.target, alone.seed]
            np.testing.assert_array_equal(image, alone.image.pixels)


def test_the_folder_has_everything(study):
    files = {str(path.relative_to(study.folder)) for path in study.folder.rglob("*") if path.is_file()}
    assert {"study.yaml", "environment.json", "timings.csv", "report.md", *BITS} <= files
    assert {
        f"figures/{name}.{kind}" for name in ("convergence", "ecdf", "targets", "images") for kind in ("png", "svg")
    } <= files
    assert {"tables/variants.tex", "tables/pairs.tex"} <= files
    assert {
        f"variants/{name}/records/seed{seed}-target{t}.json"
        for name in SELECTIONS
        for seed in (1, 2, 3)
        for t in (0, 2)
    } <= files
    assert [file for file in files if file.startswith("journal/")] == []  # the records took their places


def test_it_says_what_was_found(study):
    assert "strong" in str(study)
    assert study._repr_markdown_() == (study.folder / "report.md").read_text()
    assert study.outcome.paired
    assert not study.outcome.extended
    assert study.outcome.variants == ("none", "strong", "weak")


def test_milestones_are_where_the_journal_has_them(study, tmp_path):
    """Evaluations to 50 and 90 %, counted by hand over the images in the order shown."""
    given = {**TINY, "stop": {"confidence": 0.95, "evaluations": 600}, "targets": [2]}
    result, prepared = run_alone(config.load({}, arguments=given, plugins=[KIT]), tmp_path / "run")
    shown = np.concatenate(prepared.classifier.images)
    logits = prepared.classifier.logits(shown).astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    real = shown.reshape(len(shown), -1).any(axis=1)  # less the black rows that fill up a batch
    seen = p[real][:, 2]
    assert result[2].evaluations_to == {
        name: int(np.argmax(seen >= float(name))) + 1 for name in ("0.5", "0.9") if (seen >= float(name)).any()
    }


def test_curve_and_area_of_a_step_function():
    evaluations, best = np.array([10, 20, 40]), np.array([0.1, 0.5, 0.9])
    curve = Record(None, evaluations, best, None).curve(np.array([5, 10, 19, 20, 100]))
    np.testing.assert_array_equal(curve, [0, 0.1, 0.1, 0.5, 0.9])
    assert _area(evaluations, best, 100) == pytest.approx((10 * 0.1 + 20 * 0.5 + 60 * 0.9) / 100)
    assert _area(evaluations, best, 40) == pytest.approx((10 * 0.1 + 20 * 0.5) / 40)


@pytest.mark.parametrize("budget", [1, 7, 600, 25_000])
def test_the_grid_ends_at_the_budget(budget):
    assert grid(budget)[-1] == budget
    assert (np.diff(grid(budget)) > 0).all()


# --- The same bits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(SELECTIONS))[1:4])
def test_the_order_of_variants_changes_nothing(study, tmp_path, order):
    vary = {"selection": {name: SELECTIONS[name] for name in order}}
    assert bits(compare(tmp_path / "study", vary=vary).folder) == bits(study.folder)


@pytest.mark.parametrize("lockstep", [1, 5])
def test_lockstep_changes_nothing(study, tmp_path, lockstep):
    assert bits(compare(tmp_path / "study", lockstep=lockstep).folder) == bits(study.folder)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.filterwarnings("ignore:workers on localhost were not ready:fooldeap.FooldeapWarning")
def test_workers_change_nothing(study, tmp_path, mode):
    done = compare(tmp_path / "study", executor={"name": "scoop", "workers": 2, "mode": mode})
    assert bits(done.folder) == bits(study.folder)


@pytest.mark.draws
def test_report_and_figures_are_the_same_bits_too(study, tmp_path):
    again = compare(tmp_path / "study")
    for path in [*study.folder.glob("figures/*"), *study.folder.glob("tables/*"), study.folder / "report.md"]:
        assert path.read_bytes() == (again.folder / path.relative_to(study.folder)).read_bytes(), path


# --- Interrupted, resumed, extended ---------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [3, 40, 150])
def test_an_interrupted_study_is_resumed(study, tmp_path, monkeypatch, moment):
    count = itertools.count()
    settle = Run.settle

    def interrupted(run):
        if next(count) == moment + len(SELECTIONS):  # the rehearsals settle as well
            raise KeyboardInterrupt
        settle(run)

    monkeypatch.setattr(Run, "settle", interrupted)
    with pytest.raises(KeyboardInterrupt, match="go on with: fooldeap compare --resume"):
        compare(tmp_path / "study")
    monkeypatch.undo()
    assert not (tmp_path / "study/report.md").exists()
    resumed = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert bits(resumed.folder) == bits(study.folder)
    assert not resumed.outcome.extended


REAL = ["seeds=2", "targets=[2,3]", "budget=1500", "vary={selection: [random, {name: tournament, size: 5}]}"]


def test_a_killed_study_on_the_real_network_is_resumed(tmp_path):
    words = [str(ROOT / "configs/studies/selection.yaml"), *REAL]
    command = [sys.executable, "-m", "fooldeap", "compare", "--quiet"]
    subprocess.run([*command, *words, "--out", tmp_path / "whole"], check=True)
    folder = tmp_path / "killed"
    process = subprocess.Popen([*command, *words, "--out", folder])
    while process.poll() is None and not list(folder.glob("variants/*/records/*")):  # when a run has ended
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "--resume", folder], check=True)
    assert bits(folder) == bits(tmp_path / "whole")


def test_what_is_finished_is_not_made_again(study, tmp_path, monkeypatch):
    shutil.copytree(study.folder, tmp_path / "study")
    for path in [*tmp_path.glob("study/*.*"), *tmp_path.glob("study/figures/*")]:
        if path.name not in ("study.yaml", "design.json", "environment.json"):
            path.unlink()
    spent = counted(monkeypatch)
    again = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert [run for run, evaluations in spent.items() if evaluations > 10] == []  # no more than the rehearsals
    assert bits(again.folder) == bits(study.folder)


def test_more_seeds_run_only_those(study, tmp_path, monkeypatch):
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


def test_another_variant_runs_only_that(study, tmp_path, monkeypatch):
    shutil.copytree(study.folder, tmp_path / "study")
    spent = counted(monkeypatch)
    vary = {"selection": {**SELECTIONS, "wheel": "linear_rank"}}
    more = fooldeap.compare({**STUDY, "vary": vary}, resume=tmp_path / "study", quiet=True)
    assert {run.variant for run, evaluations in spent.items() if evaluations > 10} == {"wheel"}
    assert more.outcome.extended


def test_a_variant_that_changed_under_its_name_is_refused(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    vary = {"selection": {**SELECTIONS, "weak": {"name": "tournament", "size": 3}}}
    with pytest.raises(InputError, match=r"weak/records/seed1-target0.json: was made with another experiment; resume"):
        fooldeap.compare({**STUDY, "vary": vary}, resume=tmp_path / "study", quiet=True)


# Findings of a sceptical reader, each a test --------------------------------------------------------------------------


def test_a_joint_variant_that_is_added_leaves_the_bits_of_the_others(tmp_path):
    some = {"a": {"selection": "roulette"}, "b": {}}
    more = {**some, "c": {"algorithm": "tiny_map_elites"}}
    given = {"vary": None, "goal": {"confidence": 0.9999}, "seeds": 2, "budget": 300}
    first = compare(tmp_path / "first", variants=some, **given)
    fooldeap.compare({**STUDY, **given, "variants": more}, resume=first.folder, quiet=True)
    at_once = compare(tmp_path / "at_once", variants=more, **given)
    assert bits(first.folder)["curves.csv"] == bits(at_once.folder)["curves.csv"]
    assert bits(first.folder)["runs.csv"] == bits(at_once.folder)["runs.csv"]


@pytest.mark.filterwarnings("ignore:workers on localhost were not ready:fooldeap.FooldeapWarning")
def test_a_finished_study_is_resumed_with_workers(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    again = fooldeap.compare(resume=tmp_path / "study", workers=2, quiet=True)
    assert bits(again.folder) == bits(study.folder)


def test_a_refusal_in_the_second_group_touches_nothing(tmp_path):
    other = {"classifier": {"name": "tiny", "sharpness": 0.003}}
    given = {"vary": None, "seeds": 1}
    done = compare(tmp_path / "study", variants={"x": {}, "y": other}, **given)
    before = {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()}
    changed = {**STUDY, **given, "variants": {"x": {}, "y": {**other, "selection": "random"}}}
    with pytest.raises(InputError, match="was made with another experiment"):
        fooldeap.compare(changed, resume=done.folder, quiet=True)
    assert {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()} == before


def test_classifiers_of_other_classes_need_named_targets(tmp_path):
    variants = {"x": {}, "y": {"classifier": "keras"}}
    with pytest.raises(InputError, match=r"targets: got all, of classifiers with 4 and 10 classes; name the targets"):
        compare(tmp_path / "study", vary=None, variants=variants, targets="all")
    assert not (tmp_path / "study").exists()


def test_a_study_changed_before_its_report_is_extended_too(study, tmp_path, monkeypatch):
    count = itertools.count()
    keep = Records.keep

    def interrupted(*arguments, **more):
        if next(count) == 5:
            raise KeyboardInterrupt
        return keep(*arguments, **more)

    monkeypatch.setattr(Records, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path / "study")
    monkeypatch.undo()
    assert fooldeap.compare(None, "seeds=4", resume=tmp_path / "study", quiet=True).outcome.extended
    for name in ("summary.json", "runs.csv", "design.json"):  # whoever removes them all cannot hide it
        (tmp_path / "study" / name).unlink()
    assert fooldeap.compare(None, resume=tmp_path / "study", quiet=True).outcome.extended


def test_nothing_has_been_seen_before_the_first_record(tmp_path, monkeypatch):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Records, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path / "study")
    monkeypatch.undo()
    assert not fooldeap.compare(None, "seeds=4", resume=tmp_path / "study", quiet=True).outcome.extended


def test_another_study_is_refused_in_its_folder(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    foreign = {**STUDY, "vary": {"selection": ["roulette", "truncation"]}}
    with pytest.raises(
        InputError, match=r"holds another study, of none, strong, weak; start this one with a new --out"
    ):
        fooldeap.compare(foreign, resume=tmp_path / "study", quiet=True)


def test_a_variant_with_randomness_of_its_own_fails_alone(tmp_path, monkeypatch):
    vary = {"mutation": {"good": "random_pixels", "bad": "unseeded"}}
    keep, count = Records.keep, itertools.count()

    def interrupted(*arguments, **more):
        if next(count) == 2:
            raise KeyboardInterrupt
        return keep(*arguments, **more)

    monkeypatch.setattr(Records, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path / "study", vary=vary, goal={"confidence": 0.9999})
    monkeypatch.undo()
    with pytest.warns(FooldeapWarning, match=r"bad failed: .* is not the one recorded"):
        done = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert list(done.outcome.failed) == ["bad"]
    assert len(done.outcome.runs) == 6


@pytest.mark.draws
def test_what_is_left_of_an_older_report_goes(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    two = {**STUDY, "vary": {"selection": {name: SELECTIONS[name] for name in ("strong", "none")}}}
    assert list(tmp_path.glob("study/figures/critical_differences.*"))
    done = fooldeap.compare(two, resume=tmp_path / "study", quiet=True)
    assert not list(tmp_path.glob("study/figures/critical_differences.*"))
    assert "critical_differences" not in (done.folder / "report.md").read_text()


def test_every_figure_of_the_report_is_there(study):
    named = re.findall(r"\]\((figures/\S+)\)", (study.folder / "report.md").read_text())
    assert len(named) == 5
    assert all((study.folder / name).is_file() for name in named)


def test_confidences_beyond_the_goal_are_no_columns(tmp_path):
    done = compare(tmp_path / "study", goal={"confidence": 0.6}, seeds=1)
    report = (done.folder / "report.md").read_text()
    assert "to 50 %" in report
    assert "to 90 %" not in report


def test_that_nobody_reached_the_goal_is_not_called_identical(tmp_path):
    done = compare(tmp_path / "study", budget=20, goal={"confidence": 0.9999})
    assert "no run of any of them reached the goal" in (done.folder / "report.md").read_text()
    assert "identical" not in str(done)


def test_a_damaged_record_is_named(study, tmp_path):
    shutil.copytree(study.folder, tmp_path / "study")
    record = tmp_path / "study/variants/weak/records/seed2-target0.json"
    record.write_bytes(record.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"seed2-target0.json: is damaged .*; remove it"):
        fooldeap.compare(resume=tmp_path / "study", quiet=True)
    record.unlink()
    assert bits(fooldeap.compare(resume=tmp_path / "study", quiet=True).folder) == bits(study.folder)


# --- Failing variants -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [None, "chunks", "runs"])
@pytest.mark.filterwarnings("ignore:workers on localhost were not ready:fooldeap.FooldeapWarning")
def test_a_variant_that_fails_is_reported_and_the_others_finish(study, tmp_path, mode):
    vary = {"selection": {**SELECTIONS, "bad": "fails_late"}}
    executor = {"executor": {"name": "scoop", "workers": 2, "mode": mode}} if mode else {}
    with pytest.warns(FooldeapWarning, match="bad failed: .*selection 'fails_late'"):
        done = compare(tmp_path / "study", vary=vary, **executor)
    assert list(done.outcome.failed) == ["bad"]
    assert "fails_late" in (done.folder / "report.md").read_text()
    assert "too late" in (done.folder / "variants/bad/error.log").read_text()
    assert bits(done.folder)["runs.csv"] == bits(study.folder)["runs.csv"]
    assert json.loads((done.folder / "summary.json").read_text())["study"]["failed"]["bad"]


def test_where_all_variants_fail_there_is_a_report(tmp_path):
    vary = {"selection": {"bad": "fails_late", "worse": {"name": "fails_late", "beyond": 1.1}}}
    with pytest.warns(FooldeapWarning, match="failed"):
        done = compare(tmp_path / "study", vary=vary)
    assert set(done.outcome.failed) == {"bad", "worse"}
    assert (done.folder / "report.md").exists()
    assert str(done)


def test_a_classifier_that_fails_ends_the_study_resumably(tmp_path):
    with pytest.raises(RunError, match=r"not finite.*the traceback is in .*error.log"):
        compare(tmp_path / "study", classifier="breaks_late")
    assert (tmp_path / "study/study.yaml").exists()


BREAKING = {"classifier": {"late": "breaks_late", "good": "tiny"}}


def test_of_two_classifiers_one_may_fail(tmp_path):
    with pytest.warns(FooldeapWarning, match=r"late failed"):
        done = compare(tmp_path / "study", vary=BREAKING, goal={"confidence": 0.9999})
    assert list(done.outcome.failed) == ["late"]
    assert done.outcome.variants == ("good",)


# --- Joint runs and other pairs -------------------------------------------------------------------------------------


def test_joint_runs_have_the_budget_of_all_targets_and_blocks_of_seeds(tmp_path):
    vary = {"algorithm": {"one": "generational", "all": "tiny_map_elites"}}
    done = compare(tmp_path / "study", vary=vary, goal={"confidence": 0.7})
    outcome = done.outcome
    assert outcome.joint == {"all"}
    assert not outcome.paired
    for seed in (1, 2, 3):
        together = [outcome.run("all", target, seed) for target in (0, 2)]
        assert together[0].evaluations == together[1].evaluations <= 1200
    blocks = [
        [outcome.run("one", target, seed).evaluations_to_goal or np.inf for target in (0, 2)] for seed in (1, 2, 3)
    ]
    np.testing.assert_array_equal(outcome.blocks("one")[0], np.sum(blocks, axis=1))
    assert "seed" in (done.folder / "report.md").read_text()


def test_variants_with_other_populations_are_matched_by_seed_only(tmp_path):
    done = compare(tmp_path / "study", vary={"algorithm.population": [10, 20]}, seeds=2)
    assert not done.outcome.paired
    assert "matched by seed only" in (done.folder / "report.md").read_text()


def test_the_data_of_a_study_are_the_same_study():
    study = definition.load({**STUDY, "variants": {"small": {"algorithm.population": 4}}})
    again = definition.load(study.data())
    assert again.data() == study.data()
    assert {name: each.digest for name, each in again.variants.items()} == {
        name: each.digest for name, each in study.variants.items()
    }
    assert list(study.variants) == ["strong", "weak", "none", "small"]
    assert study.variants["small"].algorithm.values["population"] == 4


def test_runs_end_by_the_budget_and_not_by_generations():
    study = definition.load({**STUDY, "budget": 50_000})
    assert {each.stop.generations for each in study.variants.values()} == {200_000}
    assert {each.stop.evaluations for each in study.variants.values()} == {50_000}
    said = definition.load({**STUDY, "variants": {"short": {"stop.generations": 7}}})
    assert said.variants["short"].stop.generations == 7


@pytest.mark.parametrize("path", sorted((ROOT / "configs/studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_works(path):
    study = definition.load(path, ["seeds=1", "targets=[3]", "budget=300"])
    with Bench(study.variants) as bench:
        ended = list(bench.evolve(bench.runs))
    assert [run.failure for run in ended if run.failure] == []
    assert len({run.info.variant for run in ended}) == len(study.variants) >= 7
