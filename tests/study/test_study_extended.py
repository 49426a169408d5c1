"""A study that is extended gives the results of a study that had the settings from the start."""

import csv
import shutil

import pytest
from helpers.commands import call
from helpers.experiments import ROOT
from helpers.query_logs import sessions
from helpers.resuming import interrupted
from helpers.studies import STUDY, bits, compare

import fooldeap
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError
from fooldeap.runs import forecast
from fooldeap.study.plan import StudyFolder
from fooldeap.study.records import Records

BITS = ("runs.csv", "curves.csv")
SHORT = {"budget": 200, "goal": {"confidence": 0.95}}


def tables(folder):
    return {name: (folder / name).read_bytes() for name in BITS}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A study in which some runs reach the goal and others use up the budget."""
    done = compare(tmp_path_factory.mktemp("short") / "study", **SHORT)
    reached = [run.evaluations_to_goal is not None for run in done.outcome.runs]
    assert any(reached)
    assert not all(reached)
    return done.folder


@pytest.fixture
def copy(short, tmp_path):
    return shutil.copytree(short, tmp_path / "copy")


def made(monkeypatch):
    """Record the runs that evolve from now on, not only in rehearsals."""
    found, settle = set(), Run.finish_generation

    def settled(run):
        settle(run)
        if run.statistics.generation >= 1:
            found.add((run.info.variant, run.info.targets[0], run.info.seed))

    monkeypatch.setattr(Run, "finish_generation", settled)
    return found


EXTENSIONS = {
    "budget": (["budget=333"], {"budget": 333}),
    "goal": (["goal.confidence=0.97"], {"goal": {"confidence": 0.97}}),
    "everything": (
        ["budget=333", "goal={confidence: 0.97}", "seeds=4", "targets=[0,2,1]"],
        {"budget": 333, "goal": {"confidence": 0.97}, "seeds": 4, "targets": [0, 2, 1]},
    ),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extended_study_equals_one_with_the_settings_from_the_start(copy, tmp_path, name):
    words, settings = EXTENSIONS[name]
    extended = fooldeap.compare(None, *words, resume=copy, quiet=True)
    whole = compare(tmp_path / "whole", **{**SHORT, **settings})
    assert tables(copy) == tables(whole.folder)
    assert extended.outcome.extended
    assert not whole.outcome.extended
    assert "The study was extended after results were available" in (copy / "report.md").read_text()
    assert fooldeap.verify(copy).problems == ()
    assert tables(fooldeap.compare(resume=copy, quiet=True).folder) == tables(whole.folder)


def test_runs_that_reached_the_goal_are_not_repeated(copy, monkeypatch):
    before = fooldeap.compare(resume=copy, quiet=True).outcome.runs
    again = made(monkeypatch)
    fooldeap.compare(None, "budget=333", resume=copy, quiet=True)
    assert again >= {run.key for run in before if run.stopped == "evaluations"}
    kept = {run.key for run in before if run.stopped == "goal" and run.evaluations < 200}
    rehearsed = {(run.variant, 0, 1) for run in before}
    assert kept
    assert not (again - rehearsed) & kept


def shown(folder):
    """Return the number of images that the classifier answered in the last session, for the runs themselves."""
    return int(sessions(folder)[-1]["classifier"])


def test_with_journals_only_the_missing_images_are_shown(copy, tmp_path):
    kept = compare(tmp_path / "kept", **SHORT, keep_journals=True)
    before = sum(run.evaluations for run in kept.outcome.runs if run.evaluations == 200)
    for folder in (copy, kept.folder):
        fooldeap.compare(None, "budget=333", resume=folder, quiet=True)
    assert tables(copy) == tables(kept.folder)
    assert shown(copy) - shown(kept.folder) == before > 0
    assert fooldeap.verify(kept.folder).problems == ()


def test_several_extensions(copy, tmp_path):
    for word in ("budget=250", "goal.confidence=0.96", "budget=300", "goal.confidence=0.97", "budget=333"):
        fooldeap.compare(None, word, resume=copy, quiet=True)
    assert tables(copy) == tables(compare(tmp_path / "whole", budget=333, goal={"confidence": 0.97}).folder)


def test_an_extension_by_the_study_file(copy, tmp_path):
    fooldeap.compare({**STUDY, **SHORT, "budget": 333}, resume=copy, quiet=True)
    assert tables(copy) == tables(compare(tmp_path / "whole", **{**SHORT, "budget": 333}).folder)


@pytest.mark.parametrize("word", ["budget=333", "goal.confidence=0.97"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_extension_is_continued(copy, tmp_path, word, after):
    with interrupted(Records, "keep", after=after):
        fooldeap.compare(None, word, resume=copy, quiet=True)
    done = fooldeap.compare(resume=copy, quiet=True)
    changes = {"budget": 333} if word.startswith("budget") else {"goal": {"confidence": 0.97}}
    assert tables(copy) == tables(compare(tmp_path / "whole", **{**SHORT, **changes}).folder)
    assert done.outcome.extended


def test_an_unfinished_study_is_extended(tmp_path):
    with interrupted(Run, "finish_generation", after=60):
        compare(tmp_path / "study", **SHORT)
    fooldeap.compare(None, "budget=333", resume=tmp_path / "study", quiet=True)
    assert tables(tmp_path / "study") == tables(compare(tmp_path / "whole", **{**SHORT, "budget": 333}).folder)


def test_until_the_study_is_replaced_the_folder_keeps_the_earlier_one(copy, short):
    with interrupted(StudyFolder, "unseal", after=0):
        fooldeap.compare(None, "budget=333", resume=copy, quiet=True)
    with interrupted(type(StudyFolder(copy).environment), "write_noted", after=0):
        fooldeap.compare(None, "budget=333", resume=copy, quiet=True)
    assert tables(fooldeap.compare(resume=copy, quiet=True).folder) == tables(short)


def test_a_study_for_all_targets_in_one_run_is_extended(tmp_path):
    given = {
        "vary": None,
        "variants": {"joint": {"algorithm": "tiny_map_elites"}, "single": {}},
        "goal": {"confidence": 0.95},
        "seeds": 2,
    }
    done = compare(tmp_path / "study", **given, budget=100)
    fooldeap.compare(None, "budget=150", resume=done.folder, quiet=True)
    assert tables(done.folder) == tables(compare(tmp_path / "whole", **given, budget=150).folder)


REFUSED = {
    "budget=199": "--resume: budget: got 199, expected 200 or more, as the study in",
    "goal.confidence=0.94": "--resume: goal.confidence: got 0.94, expected confidence 0.95 or more, as the study in",
    "goal={score: 7}": 'goal: got {"confidence": 0.95, "score": 7}, expected one goal',
    "mutation.rate=0.4": "--resume: got 'mutation.rate=0.4', expected an extension by budget, goal, seeds, targets",
    **{
        word: f"--resume: got '{word}', expected an extension"
        for word in (
            *("seed=5", "name=x", "stop.generations=9", "stop.evaluations=900", "candidate=weak", "selection=roulette"),
            *("vary={selection: [roulette, random]}", "classifier.sharpness=1", "plugins=[]", "reporters=[]"),
        )
    },
}


@pytest.mark.parametrize("word", REFUSED)
def test_other_overrides_are_rejected_and_nothing_changes(copy, capsys, word):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert call("compare", "--resume", copy, word) == 2
    said = capsys.readouterr().err
    assert REFUSED[word] in said
    assert len(said.splitlines()) <= 2  # the plugins that the file names come first
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert {path: each for path, each in after.items() if path.name != ".lock"} == before


@pytest.mark.parametrize("word", ["concurrent_runs=2", "executor=serial", "on_error=stop", "report=false"])
def test_keys_of_a_session_are_accepted(copy, word, short):
    done = fooldeap.compare(None, word, resume=copy, quiet=True)
    assert not done.outcome.extended
    assert bits(copy) == bits(short)


def test_a_smaller_budget_names_an_alternative_that_works(copy, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"for less, start a new study: (fooldeap compare .*)") as raised:
        fooldeap.compare(None, "budget=60", resume=copy, quiet=True)
    command = str(raised.value).rpartition("new study: ")[2].split()
    assert call(*command[1:], "--out", tmp_path / "new", "--quiet") == 0
    assert tables(tmp_path / "new") == tables(compare(tmp_path / "whole", **{**SHORT, "budget": 60}).folder)


def test_the_estimate_of_an_extension_counts_what_is_missing(copy, monkeypatch, capsys):
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    assert call("compare", "--resume", copy, "--dry-run") == 0
    assert "no run is missing" in capsys.readouterr().out
    assert call("compare", "--resume", copy, "--dry-run", "budget=333") == 0
    with (copy / "runs.csv").open() as file:
        censored = sum(row["evaluations"] == "200" for row in csv.DictReader(file))
    assert f"3 variants, {censored} runs, at most {censored * 333:,} evaluations" in capsys.readouterr().out


@pytest.mark.slow
def test_a_real_study_extended_from_2000_to_5000(tmp_path):
    words = [str(ROOT / "configs/studies/selection_lenet.yaml"), "seeds=2", "targets=[2,3]"]
    fooldeap.compare(*words, "budget=2000", out=tmp_path / "study", quiet=True)
    fooldeap.compare(None, "budget=5000", resume=tmp_path / "study", quiet=True)
    fooldeap.compare(*words, "budget=5000", out=tmp_path / "whole", quiet=True)
    assert tables(tmp_path / "study") == tables(tmp_path / "whole")
