"""Study files: each error is one line with position and cure; the options of the command."""

import pytest
from helpers.commands import call
from helpers.experiments import KIT, ROOT
from ruamel.yaml import YAML

from fooldeap.study import definition

BROKEN = YAML(typ="safe").load(ROOT / "tests/study/broken_studies.yaml")


@pytest.mark.parametrize("case", BROKEN, ids=[case["name"] for case in BROKEN])
def test_errors_name_position_and_cure(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text(case["text"])
    code = call("compare", "broken.yaml", *case.get("overrides", []))
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"fooldeap: {line}" for line in case["expect"].splitlines()]
    assert (shown.out, code) == ("", 2)
    assert not (tmp_path / "runs").exists()


STUDY = f"""
name: small
classifier: tiny
plugins: [{KIT}]
algorithm: {{name: generational, population: 10}}
vary:
  selection:
    strong: {{name: tournament, size: 6}}
    none: random
targets: [0, 2]
goal: {{confidence: 0.8}}
budget: 300
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)


def test_the_command_runs_resumes_and_extends(study, tmp_path, capsys):
    assert call("compare", "study.yaml", "seeds=2") == 0
    shown = capsys.readouterr().out
    assert "strong" in shown
    assert "runs/small/001/report.md" in shown
    assert call("compare", "--resume", "runs/small/001") == 0
    assert "8 runs of 2 variants, 8 of them already made" in capsys.readouterr().out
    assert call("compare", "--resume", "runs/small/001", "seeds=3") == 0
    assert "12 runs of 2 variants, 8 of them already made" in capsys.readouterr().out
    assert call("compare", "study.yaml", "--resume", "runs/small/001", "seeds=4") == 0
    assert "16 runs of 2 variants, 12 of them already made" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(study, tmp_path, capsys):
    assert call("compare", "study.yaml", "--dry-run", "seeds=5") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("small: 2 variants, 20 runs, at most 6,000 evaluations; at the ")
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


ANNOUNCED = f"fooldeap: runs the plugins in {KIT}, named in study.yaml\n"


def test_quiet_prints_only_the_plugins_that_the_file_names(study, capsys):
    assert call("compare", "study.yaml", "--quiet") == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", ANNOUNCED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got no study, expected a YAML file: fooldeap compare configs/studies/selection.yaml"),
        (["studi.yaml"], "no file 'studi.yaml'; did you mean 'study.yaml'?"),
        (["--resume", "nowhere"], "nowhere: has no study.yaml; name a folder of 'fooldeap compare'"),
        (
            ["study.yaml", "--out", "a", "--resume", "b"],
            "--out and --resume: got both, expected one; a resumed study is written to its own folder",
        ),
        (
            ["study.yaml", "--try", "x.py"],
            "--try: got a study too, expected none; --try uses its own study",
        ),
        (["--try", "x.py"], "no file or folder 'x.py'"),
        (
            ["study.yaml", "--out", "taken"],
            "--out taken: already exists; name a new folder",
        ),
        (
            ["study.yaml", "--workers", "0"],
            "--workers: got '0', expected a number of at least 1, auto, or an executor: NAME, NAME:NUMBER or NAME://HOST:PORT",
        ),
    ],
)
def test_wrong_arguments(study, tmp_path, capsys, arguments, message):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    assert call("compare", *arguments) == 2
    assert capsys.readouterr().err.removeprefix(ANNOUNCED) == f"fooldeap: {message}\n"


def test_a_study_can_be_the_base_of_a_study(study, tmp_path):
    (tmp_path / "more.yaml").write_text("base: study.yaml\nvary: {selection: {wheel: linear_rank}}\nbudget: 200\n")
    loaded = definition.load(tmp_path / "more.yaml")
    assert list(loaded.variants) == ["strong", "none", "wheel"]
    assert (loaded.budget, loaded.name) == (200, "more")
    without = definition.load(tmp_path / "more.yaml", ["vary.selection=null", "vary.mutation=[creep, invert]"])
    assert list(without.variants) == ["creep", "invert"]


def test_labels_of_a_list(study, tmp_path):
    (tmp_path / "study.yaml").write_text(
        f"plugins: [{KIT}]\nvary:\n  selection: [random, {{name: tournament, size: 3}}]\n  stop.generations: [5]\n"
        "  algorithm.elites: [0, 2]\n"
    )
    assert list(definition.load("study.yaml").variants) == [
        "random+generations-5+elites-0",
        "random+generations-5+elites-2",
        "tournament-3+generations-5+elites-0",
        "tournament-3+generations-5+elites-2",
    ]


# --- A plugin on trial ----------------------------------------------------------------------------------------------

TRIED = """
from fooldeap.plugin import selection

@selection("first_come")
def first_come(fitness, count, rng):
    \"\"\"Take the first.\"\"\"
    return rng.integers(0, len(fitness), count)
"""
OTHER = """
from fooldeap.plugin import dataclass, dataset

@dataset("x")
@dataclass
class X:
    \"\"\"Nothing.\"\"\"

    def load(self): ...
"""
QUICK = ["seeds=1", "targets=[1]", "budget=100"]


@pytest.mark.slow
@pytest.mark.draws
def test_a_plugin_is_compared_with_the_stock_plugins(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(TRIED)
    assert call("compare", "--try", "mine.py", *QUICK) == 0
    shown = capsys.readouterr().out
    for name in ("first_come", "tournament", "roulette", "random", "boltzmann"):
        assert name in shown
    report = (tmp_path / "runs/try-first_come/001/report.md").read_text()
    assert "first_come" in report
    assert not (tmp_path / "runs/try-first_come/001/figures/critical_differences.png").exists()
    monkeypatch.setattr("fooldeap.study.figures.draw", lambda *_: {})
    assert call("compare", "--resume", "runs/try-first_come/001") == 0


def test_a_plugin_that_fails_is_reported_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(TRIED.replace("return", "raise ValueError('no')\n    return"))
    assert call("compare", "--try", "mine.py", *QUICK, "budget=300") == 1
    assert "selection 'first_come' raised ValueError: no" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.filterwarnings("always:bad failed:fooldeap.FooldeapWarning")
def test_a_failed_variant_gives_exit_code_1(study, tmp_path, capsys):
    vary = "vary={selection: {good: random, bad: fails_late}}"
    assert call("compare", "study.yaml", vary) == 1
    assert "bad failed; the results of the other variants are in runs/small/001" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OTHER, "mine.py: got dataset 'x', expected one plugin of the kinds mutation, crossover, "),
        (TRIED + TRIED.replace("first_come", "second_come"), "expected one plugin of the kinds mutation, "),
        (TRIED.replace("rng):", "rng, *, size: int):"), "has no default for 'size'; --try needs one, so add it"),
        (TRIED.replace("first_come", "tournament"), "the name is already used"),
    ],
    ids=["another kind", "two", "without a default", "a taken name"],
)
def test_files_that_try_refuses(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    assert call("compare", "--try", "mine.py", *QUICK) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
