"""configs/paper/imagenet_*.yaml: without the model files, one line names the script; with them, a short run works."""

import re

import pytest
from helpers.experiments import ROOT
from scipy.special import softmax

from fooldeap import cli
from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession

CONFIGS = sorted((ROOT / "configs/paper").glob("imagenet_*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_missing_model_names_the_script_that_creates_it(path, tmp_path, capsys):
    name = re.search(r"models/(efficientnet_\S+)", path.read_text())[1]
    copied = tmp_path / path.name
    copied.write_text(path.read_text())
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", str(copied), "--out", str(tmp_path / "run")])
    assert exit_.value.code == 2
    where = f"{copied}:{line_of(path, 'classifier:')}: classifier: model '../../models/{name}'"
    assert capsys.readouterr().err == (
        f"fooldeap: {where} is not there; create it with: python tools/imagenet_models.py\n"
    )
    assert not (tmp_path / "run").exists()


def line_of(path, start):
    """Return the line and column of the value of a key, as error messages give them."""
    lines = path.read_text().splitlines()
    return next(f"{number}:3" for number, line in enumerate(lines, 2) if line == start)


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_short_run_attacks_the_model(path):
    experiment = config.load(path, ["targets=[99, 200]", "stop.evaluations=3"], arguments={"reporters": []})
    model = (path.parent / experiment.classifier.values["model"]).resolve()
    if not model.is_file():
        pytest.skip(f"{model.name} is missing; create it with: python tools/imagenet_models.py")
    pytest.importorskip("torch" if model.suffix == ".pt" else "onnxruntime", reason="an extra is not installed")
    with ExperimentSession(experiment) as prepared:
        result = prepared.run(None)
        assert prepared.classifier.names[99] == "goose"
        logits = prepared.classifier.logits(result[99].image.pixels[None])
    assert result[99].image.pixels.shape == (224, 224, 3)
    assert result[99].evaluations == 3
    assert result[99].confidence == pytest.approx(softmax(logits[0].astype(float))[99], rel=1e-3)
