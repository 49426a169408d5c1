"""The command `verify`, and what `resume` does when packages, plugins or the configuration have changed."""

import json
import shutil

import numpy as np
import pytest
from helpers.experiments import KIT, bits, resealed
from helpers.resuming import interrupted

import fooldeap
from fooldeap import cli
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import mutation
from fooldeap.result_tools.verify import verify
from fooldeap.runs import environment
from fooldeap.runs.dispatcher import Dispatcher

RUN = {
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 12},
    "stop": {"confidence": None, "evaluations": 200},
    "targets": [0, 2],
    "seeds": 2,
    "reporters": ["csv", "images"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return fooldeap.run(RUN, out=tmp_path_factory.mktemp("verify") / "run", quiet=True).folder


def copied(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def replace(path, old, new):
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


# --- Verify -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [None, 1, 5, 10_000])
def test_a_run_and_a_study_are_reproduced(finished, study, sample):
    for folder in (finished, study.folder):
        verified = verify(folder, sample=sample)
        assert verified.reproduced, str(verified)
    assert not list(finished.glob(".*"))


def test_verify_changes_no_file(finished):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    verify(finished)
    verify(finished, sample=3)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_headers_of_an_archive_may_differ(finished, tmp_path):
    """Another release of Python writes other headers."""
    folder = copied(finished, tmp_path)
    with np.load(folder / "snapshots.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(folder / "snapshots.npz", **arrays)
    resealed(folder)
    assert verify(folder).reproduced
    arrays["score"][0] += 1
    np.savez(folder / "snapshots.npz", **arrays)
    resealed(folder)
    assert verify(folder).problems == ("snapshots.npz: differs from that of the repeated run",)


@pytest.mark.parametrize("sample", [None, 2])
def test_a_changed_classifier_is_named(finished, sample, monkeypatch):
    from fooldeap.runs.worker_task import WorkerTask

    monkeypatch.setattr(WorkerTask, "digest", property(lambda self: "another"))
    (problem,) = verify(finished, sample=sample).problems
    assert problem == "the classifier has changed since the run: its digest differs from that in environment.json"


def test_a_folder_of_a_version_without_snapshots_is_reproduced(finished, tmp_path):
    folder = copied(finished, tmp_path)
    (folder / "snapshots.npz").unlink()
    sums = (folder / "SHA256SUMS").read_text().splitlines(True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if "snapshots.npz" not in line))
    assert verify(folder).reproduced


@pytest.mark.parametrize("sample", [None, 100])
def test_a_different_answer_of_the_classifier_is_a_problem(finished, tmp_path, sample, monkeypatch):
    folder = copied(finished, tmp_path)
    from fooldeap.engine.evaluation import Evaluator

    logits = Evaluator.logits
    monkeypatch.setattr(Evaluator, "logits", lambda self, batches: [each * 1.0000002 for each in logits(self, batches)])
    verified = verify(folder, sample=sample)
    assert not verified.reproduced
    assert any("generation 0" in problem or "journal/" in problem for problem in verified.problems)


def test_a_forged_result_is_a_problem(finished, tmp_path):
    folder = copied(finished, tmp_path)
    confidence = json.loads((folder / "result.json").read_text())["runs"][0]["confidence"]
    replace(folder / "result.json", str(confidence).encode(), b"0.99999")
    for sample in (None, 1):
        verified = verify(folder, sample=sample)
        assert [problem for problem in verified.problems if "result.json" in problem]


def test_a_study_whose_runs_fail_is_not_reproduced(study, monkeypatch):
    def broken(*_):
        raise PluginError("no longer")

    monkeypatch.setattr(Run, "tell", broken)
    verified = verify(study.folder)
    assert not verified.reproduced
    assert all("fails here: no longer" in problem for problem in verified.problems)
    assert len(verified.problems) == 18


@pytest.mark.parametrize("name", ["runs.csv", "summary.json", "report.md", "tables/pairs.tex"])
def test_a_forged_table_of_a_study_is_a_problem(study, name, tmp_path):
    folder = copied(study.folder, tmp_path)
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("1", "2", 1))
    resealed(folder)
    assert verify(folder).problems == (f"{name}: differs from the one computed from the records",)
    assert verify(folder, sample=1).reproduced, "tables are not checked for a sample"


def test_the_runs_of_a_study_are_repeated_by_workers(study, monkeypatch):
    pursued = []
    pursue = Dispatcher.pursue
    monkeypatch.setattr(
        Dispatcher, "pursue", lambda crew, infos, *more: pursued.extend(infos) or pursue(crew, infos, *more)
    )
    assert verify(study.folder, workers=2).reproduced
    assert len(pursued) == len(study.outcome.runs)


def test_a_run_with_a_function_as_plugin_is_reproduced(tmp_path):
    @mutation("dip")
    def dip(genomes, rng):
        """Redraw one."""
        genomes[:, 0] = rng.integers(0, 256)
        return genomes

    fooldeap.run({**RUN, "mutation": "dip"}, plugins=[dip], out=tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match="no mutation is named 'dip'"):
        verify(tmp_path / "run")
    assert verify(tmp_path / "run", plugins=dip).reproduced
    assert verify(tmp_path / "run", sample=3, plugins=[dip]).reproduced


def test_a_forged_record_of_a_study_is_a_problem(study, tmp_path):
    folder = copied(study.folder, tmp_path)
    from fooldeap.study.records import _with_checksum

    record = folder / "variants/weak/records/seed1-target2.json"
    data = json.loads(record.read_text())
    del data["sha256"]
    data["runs"][0]["evaluations_to_goal"] = 2
    record.write_bytes(_with_checksum(data))
    assert "weak/seed1-target2: its record differs from the repeated run" in verify(folder).problems


def test_the_exit_codes_of_the_command(finished, tmp_path, capsys):
    def call(*words):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["verify", *map(str, words)])
        return exit_.value.code

    assert call(finished, "--sample", "2") == 0
    assert f"{finished}: 2 of " in capsys.readouterr().out
    folder = copied(finished, tmp_path)
    (folder / "log.csv").write_text("")
    assert call(folder) == 1
    assert "log.csv" in capsys.readouterr().err
    assert call(tmp_path) == 2
    assert call(finished, "--sample", "0") == 2


def test_an_unfinished_run_is_refused(finished, tmp_path):
    folder = copied(finished, tmp_path)
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match=r"is not finished; finish it first: fooldeap run --resume"):
        verify(folder)


# --- Resume after a change --------------------------------------------------------------------------------------------


@pytest.fixture
def interrupted_run(tmp_path):
    """An interrupted run with a plugin in a separate file."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from fooldeap.plugin import mutation\n\n\n@mutation('mine')\ndef mine(genomes, rng):\n"
        '    """Redraw one."""\n    genomes[:, 0] = rng.integers(0, 256)\n    return genomes\n'
    )
    with interrupted(Run, "finish_generation", after=20):
        fooldeap.run({**RUN, "mutation": "mine"}, plugins=[plugin], out=tmp_path / "run", quiet=True)
    return tmp_path / "run"


def test_resume_without_a_change_records_nothing(interrupted_run):
    assert fooldeap.resume(interrupted_run, quiet=True) is not None
    assert "forced" not in json.loads((interrupted_run / "result.json").read_text())


def test_a_changed_version_is_named(interrupted_run, monkeypatch):
    version = environment.metadata.version
    monkeypatch.setattr(environment.metadata, "version", lambda name: "9.9" if name == "numpy" else version(name))
    with pytest.raises(InputError, match=r"run: numpy has changed from [\d.]+ to 9.9; restore .*--force"):
        fooldeap.resume(interrupted_run, quiet=True)
    assert fooldeap.resume(interrupted_run, quiet=True, force=True) is not None
    (change,) = json.loads((interrupted_run / "result.json").read_text())["forced"]
    assert change.startswith("numpy has changed from ")


def test_a_changed_plugin_source_is_named(interrupted_run, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(plugin.read_text() + "\n# a comment\n")
    with pytest.raises(InputError, match=r"mine.py, the source of mutation 'mine', has changed; restore"):
        fooldeap.resume(interrupted_run, quiet=True)
    assert fooldeap.resume(interrupted_run, quiet=True, force=True) is not None
    assert json.loads((interrupted_run / "result.json").read_text())["forced"] == [
        "mine.py, the source of mutation 'mine', has changed"
    ]


def test_a_changed_file_with_several_plugins_is_named_once(tmp_path):
    plugin, choices = tmp_path / "both.py", {**RUN, "mutation": "mine", "fitness": "bright"}
    plugin.write_text(
        "from fooldeap.plugin import fitness, mutation\n\n\n"
        "@mutation('mine')\ndef mine(genomes, rng):\n    return genomes\n"
        "\n\n@fitness('bright')\ndef bright(predictions, target):\n    return predictions.images.mean(axis=(1, 2, 3))\n"
    )
    with interrupted(Run, "finish_generation", after=2):
        fooldeap.run(choices, plugins=[plugin], out=tmp_path / "run", quiet=True)
    plugin.write_text(plugin.read_text() + "\n# a comment\n")
    message = r"run: both.py, the source of fitness 'bright' and mutation 'mine', has changed; restore [^\n]*$"
    with pytest.raises(InputError, match=message):
        fooldeap.resume(tmp_path / "run", quiet=True)


def test_a_moved_plugin_file_is_named(interrupted_run, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "there/mine.py")
    capsys.readouterr()
    with pytest.raises(
        InputError, match=r"plugins\[\d\]: no file or folder '.*mine.py'; give its new path: --plugins PATH"
    ):
        fooldeap.resume(interrupted_run, quiet=True)
    assert "mine.py" not in capsys.readouterr().err, "a missing file must not be announced"
    assert fooldeap.resume(interrupted_run, plugins=tmp_path / "there/mine.py", quiet=True) is not None
    assert "forced" not in json.loads((interrupted_run / "result.json").read_text())


def test_a_changed_configuration_needs_force(interrupted_run):
    replace(interrupted_run / "config.yaml", b"evaluations: 200", b"evaluations: 400")
    with pytest.raises(InputError, match=r"config.yaml: does not match its checksum"):
        fooldeap.resume(interrupted_run, quiet=True)
    done = fooldeap.resume(interrupted_run, quiet=True, force=True)
    assert {run.evaluations for run in done} == {400}
    assert json.loads((interrupted_run / "result.json").read_text())["forced"] == ["config.yaml has changed"]


def test_resume_names_a_changed_classifier(interrupted_run, monkeypatch):
    from fooldeap.runs.worker_task import WorkerTask

    monkeypatch.setattr(WorkerTask, "digest", property(lambda self: "another"))
    with pytest.raises(InputError, match=r"the classifier has changed; restore"):
        fooldeap.resume(interrupted_run, quiet=True)


def test_the_report_of_a_study_says_that_it_was_forced(study, tmp_path, monkeypatch):
    folder = copied(study.folder, tmp_path)
    version = environment.metadata.version
    monkeypatch.setattr(environment.metadata, "version", lambda name: "9.9" if name == "deap" else version(name))
    with pytest.raises(InputError, match=r"deap has changed from [\d.]+ to 9.9"):
        fooldeap.compare(resume=folder, quiet=True)
    fooldeap.compare(resume=folder, quiet=True, force=True)
    assert "with --force although deap has changed from" in (folder / "report.md").read_text()


def test_resume_leaves_a_finished_run_unchanged(finished):
    before = bits(finished)
    assert fooldeap.resume(finished, quiet=True).folder == finished
    assert bits(finished) == before
