"""Whether a folder is as it was written, and found again here; and what has changed since a run was begun."""

import json
import shutil

import numpy as np
import pytest
from conftest import KIT, bits, resealed
from resuming import interrupted

import fooldeap
from fooldeap import cli
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError, PluginError
from fooldeap.finished.verify import verify
from fooldeap.plugin import mutation
from fooldeap.runs import provenance
from fooldeap.runs.crew import Crew

pytestmark = pytest.mark.usefixtures("undrawn")
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


def altered(path, old, new):
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


# --- Verify ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [None, 1, 5, 10_000])
def test_what_was_made_here_is_found_again_here(finished, study, sample):
    for folder in (finished, study.folder):
        verdict = verify(folder, sample=sample)
        assert verdict.reproduced, str(verdict)
    assert not list(finished.glob(".*"))


def test_it_changes_nothing(finished):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    verify(finished)
    verify(finished, sample=3)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_other_headers_of_an_archive_are_no_other_bits(finished, tmp_path):
    """As another release of Python writes them."""
    folder = copied(finished, tmp_path)
    with np.load(folder / "snapshots.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(folder / "snapshots.npz", **arrays)
    resealed(folder)
    assert verify(folder).reproduced
    arrays["score"][0] += 1
    np.savez(folder / "snapshots.npz", **arrays)
    resealed(folder)
    assert verify(folder).problems == ("snapshots.npz: has other bits",)


@pytest.mark.parametrize("sample", [None, 2])
def test_a_classifier_that_was_replaced_is_named(finished, sample, monkeypatch):
    from fooldeap.runs.work import Work

    monkeypatch.setattr(Work, "digest", property(lambda self: "another"))
    (problem,) = verify(finished, sample=sample).problems
    assert problem.startswith("the classifier is another than the one that was fooled")


def test_a_folder_from_before_there_were_snapshots_is_found_again(finished, tmp_path):
    folder = copied(finished, tmp_path)
    (folder / "snapshots.npz").unlink()
    sums = (folder / "SHA256SUMS").read_text().splitlines(True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if "snapshots.npz" not in line))
    assert verify(folder).reproduced


@pytest.mark.parametrize("sample", [None, 100])
def test_another_answer_of_the_classifier_is_seen(finished, tmp_path, sample, monkeypatch):
    folder = copied(finished, tmp_path)
    from fooldeap.engine.evaluation import Evaluator

    logits = Evaluator.logits
    monkeypatch.setattr(Evaluator, "logits", lambda self, batches: [each * 1.0000002 for each in logits(self, batches)])
    verdict = verify(folder, sample=sample)
    assert not verdict.reproduced
    assert any("generation 0" in problem or "journal/" in problem for problem in verdict.problems)


def test_a_result_that_somebody_embellished_is_seen(finished, tmp_path):
    folder = copied(finished, tmp_path)
    confidence = json.loads((folder / "result.json").read_text())["runs"][0]["confidence"]
    altered(folder / "result.json", str(confidence).encode(), b"0.99999")
    for sample in (None, 1):
        verdict = verify(folder, sample=sample)
        assert [problem for problem in verdict.problems if "result.json" in problem]


def test_a_study_whose_runs_fail_here_is_not_reproduced(study, monkeypatch):
    def broken(*_):
        raise PluginError("no longer")

    monkeypatch.setattr(Run, "tell", broken)
    verdict = verify(study.folder)
    assert not verdict.reproduced
    assert all("fails here: no longer" in problem for problem in verdict.problems)
    assert len(verdict.problems) == 18


@pytest.mark.parametrize("name", ["runs.csv", "summary.json", "report.md", "tables/pairs.tex"])
def test_a_table_of_a_study_that_somebody_embellished_is_seen(study, name, tmp_path):
    folder = copied(study.folder, tmp_path)
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("1", "2", 1))
    resealed(folder)
    assert verify(folder).problems == (f"{name}: is not what follows from the records",)
    assert verify(folder, sample=1).reproduced, "of a sample no table can be made"


def test_the_runs_of_a_study_are_made_again_by_its_workers(study, monkeypatch):
    pursued = []
    pursue = Crew.pursue
    monkeypatch.setattr(Crew, "pursue", lambda crew, infos, *more: pursued.extend(infos) or pursue(crew, infos, *more))
    assert verify(study.folder, workers=2).reproduced
    assert len(pursued) == len(study.outcome.runs)


def test_a_run_with_a_function_as_plugin_is_found_again_with_it(tmp_path):
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


def test_a_record_of_a_study_that_somebody_embellished_is_seen(study, tmp_path):
    folder = copied(study.folder, tmp_path)
    from fooldeap.study.records import _with_checksum

    record = folder / "variants/weak/records/seed1-target2.json"
    said = json.loads(record.read_text())
    del said["sha256"]
    said["runs"][0]["evaluations_to_goal"] = 2
    record.write_bytes(_with_checksum(said))
    verdict = verify(folder)
    assert [problem for problem in verdict.problems if problem.startswith("weak/seed1-target2: its record is another")]


def test_the_command(finished, tmp_path, capsys):
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


# --- What has changed -----------------------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path):
    """A run that was interrupted, its plugin in a file of its own."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from fooldeap.plugin import mutation\n\n\n@mutation('mine')\ndef mine(genomes, rng):\n"
        '    """Redraw one."""\n    genomes[:, 0] = rng.integers(0, 256)\n    return genomes\n'
    )
    with interrupted(Run, "settle", after=20):
        fooldeap.run({**RUN, "mutation": "mine"}, plugins=[plugin], out=tmp_path / "run", quiet=True)
    return tmp_path / "run"


def test_nothing_changed(begun):
    assert fooldeap.resume(begun, quiet=True) is not None
    assert "forced" not in json.loads((begun / "result.json").read_text())


def test_another_version_is_named(begun, monkeypatch):
    version = provenance.metadata.version
    monkeypatch.setattr(provenance.metadata, "version", lambda name: "9.9" if name == "numpy" else version(name))
    with pytest.raises(InputError, match=r"run: numpy was [\d.]+, and is 9.9; resume with .*--force"):
        fooldeap.resume(begun, quiet=True)
    assert fooldeap.resume(begun, quiet=True, force=True) is not None
    (change,) = json.loads((begun / "result.json").read_text())["forced"]
    assert change.startswith("numpy was ")


def test_another_source_is_named(begun, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(plugin.read_text() + "\n# a comment\n")
    with pytest.raises(InputError, match=r"mine.py, the source of mutation 'mine', has changed; resume with"):
        fooldeap.resume(begun, quiet=True)
    assert fooldeap.resume(begun, quiet=True, force=True) is not None
    assert json.loads((begun / "result.json").read_text())["forced"] == [
        "mine.py, the source of mutation 'mine', has changed"
    ]


def test_a_file_of_several_plugins_is_named_once(tmp_path):
    plugin, choices = tmp_path / "both.py", {**RUN, "mutation": "mine", "fitness": "bright"}
    plugin.write_text(
        "from fooldeap.plugin import fitness, mutation\n\n\n"
        "@mutation('mine')\ndef mine(genomes, rng):\n    return genomes\n"
        "\n\n@fitness('bright')\ndef bright(predictions, target):\n    return predictions.images.mean(axis=(1, 2, 3))\n"
    )
    with interrupted(Run, "settle", after=2):
        fooldeap.run(choices, plugins=[plugin], out=tmp_path / "run", quiet=True)
    plugin.write_text(plugin.read_text() + "\n# a comment\n")
    told = r"run: both.py, the source of fitness 'bright' and mutation 'mine', has changed; resume with [^\n]*$"
    with pytest.raises(InputError, match=told):
        fooldeap.resume(tmp_path / "run", quiet=True)


def test_a_plugin_file_that_was_moved_alone_is_named_where_it_is(begun, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "there/mine.py")
    capsys.readouterr()
    with pytest.raises(
        InputError, match=r"plugins\[\d\]: no file or folder '.*mine.py'; say where it is now: --plugins PATH"
    ):
        fooldeap.resume(begun, quiet=True)
    assert "mine.py" not in capsys.readouterr().err, "announced, and then not there"
    assert fooldeap.resume(begun, plugins=tmp_path / "there/mine.py", quiet=True) is not None
    assert "forced" not in json.loads((begun / "result.json").read_text())


def test_another_configuration_is_named_and_by_force_the_budget_can_be_raised(begun):
    altered(begun / "config.yaml", b"evaluations: 200", b"evaluations: 400")
    with pytest.raises(InputError, match=r"config.yaml: was changed since"):
        fooldeap.resume(begun, quiet=True)
    done = fooldeap.resume(begun, quiet=True, force=True)
    assert {run.evaluations for run in done} == {400}
    assert json.loads((begun / "result.json").read_text())["forced"] == ["config.yaml is another"]


def test_another_classifier_is_named(begun, monkeypatch):
    from fooldeap.runs.work import Work

    monkeypatch.setattr(Work, "digest", property(lambda self: "another"))
    with pytest.raises(InputError, match=r"the classifier is another; resume with"):
        fooldeap.resume(begun, quiet=True)


def test_a_study_gone_on_with_by_force_says_so(study, tmp_path, monkeypatch):
    folder = copied(study.folder, tmp_path)
    version = provenance.metadata.version
    monkeypatch.setattr(provenance.metadata, "version", lambda name: "9.9" if name == "deap" else version(name))
    with pytest.raises(InputError, match=r"deap was [\d.]+, and is 9.9"):
        fooldeap.compare(resume=folder, quiet=True)
    fooldeap.compare(resume=folder, quiet=True, force=True)
    assert "with --force although deap was" in (folder / "report.md").read_text()


def test_a_finished_run_is_left_alone(finished):
    before = bits(finished)
    assert fooldeap.resume(finished, quiet=True).folder == finished
    assert bits(finished) == before
