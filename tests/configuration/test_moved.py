"""A folder that was moved, alone or with all that it names, goes on to the same bits, and is found again."""

import json
import shutil

import pytest
from helpers.experiments import bits

import fooldeap
from fooldeap import cli
from fooldeap.configuration import config
from fooldeap.errors import InputError, PluginError
from fooldeap.result_tools.verify import verify

PLUGIN = '''
import hashlib
from pathlib import Path
import numpy as np
from fooldeap.plugin import File, classifier, dataclass, mutation


@classifier("filed")
@dataclass(kw_only=True)
class Filed:
    """A linear classifier whose weights follow from the number in a file."""

    model: File
    input_shape, classes = (8, 8, 1), 4

    @property
    def digest(self):
        return hashlib.sha256(Path(self.model).read_bytes()).hexdigest()

    def logits(self, images):
        weights = np.random.default_rng(int(Path(self.model).read_text())).normal(size=(64, 4)) * 0.002
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)


@mutation("flip")
def flip(images, rng):
    """Invert some pixels."""
    hit = rng.random(images.shape) < 0.03
    return np.where(hit, 255 - images, images)
'''
RUN = """
classifier: {name: filed, model: models/seven.txt}
plugins: [plugins/filed.py]
mutation: flip
algorithm: {name: generational, population: 12}
stop: {confidence: null, evaluations: 150}
targets: [0, 2]
reporters: [csv, images]
"""
STUDY = RUN.replace("stop: {confidence: null, evaluations: 150}", "budget: 100\nseeds: 2") + (
    "variants: {flips: {mutation: flip}, blocks: {mutation: block}}\n"
)


@pytest.fixture
def project(tmp_path):
    """A project with an experiment that was cut off on the way: (its folder, the bits of an undisturbed run)."""
    place = tmp_path / "here"
    (place / "models").mkdir(parents=True)
    (place / "plugins").mkdir()
    (place / "models/seven.txt").write_text("7")
    (place / "plugins/filed.py").write_text(PLUGIN)
    (place / "run.yaml").write_text(RUN)
    (place / "study.yaml").write_text(STUDY)
    fooldeap.run(place / "run.yaml", out=place / "runs/1", quiet=True)
    expected = bits(place / "runs/1")
    shutil.copytree(place / "runs/1", place / "runs/finished")
    cut_off(place / "runs/1")
    return place, expected


def cut_off(run):
    for name in ("result.json", "SHA256SUMS", "table.md"):
        (run / name).unlink()
    for journal in run.glob("journal/*"):
        journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])


def test_a_project_that_was_moved(project, tmp_path):
    place, expected = project
    for name in ("there", "and/there/again"):
        moved = tmp_path / name
        moved.parent.mkdir(parents=True, exist_ok=True)
        place.rename(moved)
        shutil.copytree(moved / "runs/1", moved / "runs/2")
        fooldeap.resume(moved / "runs/2", quiet=True)
        assert bits(moved / "runs/2") == expected
        assert "forced" not in json.loads((moved / "runs/2/result.json").read_text())
        for sample in (None, 5):
            assert verify(moved / "runs/2", sample=sample).reproduced
        assert config.load(moved / "runs/2/config.yaml").classifier.values["model"] == str(moved / "models/seven.txt")
        shutil.rmtree(moved / "runs/2")
        place = moved


def test_a_run_that_was_moved_alone(project, tmp_path):
    place, expected = project
    (place / "runs/1").rename(tmp_path / "alone")
    fooldeap.resume(tmp_path / "alone", quiet=True)
    assert bits(tmp_path / "alone") == expected
    assert verify(tmp_path / "alone").reproduced


def test_changed_model_at_the_new_place_is_refused(project, tmp_path):
    place, _ = project
    moved = place.rename(tmp_path / "there")
    (moved / "models/seven.txt").write_text("8")
    with pytest.raises(InputError, match="the classifier has changed"):
        fooldeap.resume(moved / "runs/1", quiet=True)
    (moved / "models/seven.txt").unlink()
    with pytest.raises(PluginError, match=r"^classifier 'filed' raised FileNotFoundError: .*here/models/seven.txt"):
        fooldeap.resume(moved / "runs/1", quiet=True)


def test_a_study_that_was_moved(project, tmp_path):
    place, _ = project
    fooldeap.compare(place / "study.yaml", out=place / "runs/study", quiet=True)
    moved = place.rename(tmp_path / "there")
    records = {path: path.read_bytes() for path in moved.glob("runs/study/variants/*/records/*")}
    next(iter(records)).unlink()
    fooldeap.compare(resume=moved / "runs/study", quiet=True)
    assert {path: path.read_bytes() for path in moved.glob("runs/study/variants/*/records/*")} == records
    assert verify(moved / "runs/study", sample=2).reproduced
    again = moved.rename(tmp_path / "again")
    assert verify(again / "runs/study", sample=1).reproduced


@pytest.mark.parametrize("made_at", [7, None, "", "here", "/\0", "/" + "x" * 5000, ["/"]])
def test_a_folder_that_was_tampered_with_moves_nothing(project, made_at):
    place, _ = project
    path = place / "runs/1/environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "folder": made_at}))
    assert config.load(place / "runs/1/config.yaml").classifier.values["model"] == str(place / "models/seven.txt")


def test_resumed_by_another_executor(project, capsys):
    place, expected = project
    folder = place / "runs/1"
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--resume", str(folder), "mutation=block"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "fooldeap: --resume: got 'mutation=block', "
        "expected on_error=skip, keys of the executor, as executor.mode=runs, or an extension by stop.evaluations, "
        "stop.generations, stop.confidence, stop.stagnation, seeds, targets; for other settings, start a new run\n"
    )
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--resume", str(folder), "executor=scoop", "executor.workers=1", "executor.mode=runs", "-q"])
    assert ended.value.code == 0
    assert bits(folder) == expected
