"""Model files that came by mail: code in them runs only if the user trusts them."""

import pickle

import pytest
from helpers.commands import call
from helpers.parallel import scoop
from hostile import Payload, layer, refused, rewritten

import fooldeap
from fooldeap.configuration import config
from fooldeap.options import Options
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap_plugins.classifier.keras import Keras


def test_the_payload_works(owned):
    pickle.loads(pickle.dumps(Payload(owned)))
    assert owned.exists()


def with_code(keras, marker, path):
    """A model with a layer that makes a file whenever it is called, and so whenever it is loaded."""
    k = keras.layers
    name = str(marker)
    code = k.Lambda(lambda x: (open(name, "w").close(), x / 255)[1], output_shape=(5, 5, 1))  # noqa: PTH123
    keras.Sequential([keras.Input((5, 5, 1)), code, k.Flatten(), k.Dense(3, "softmax")]).save(path)
    marker.unlink(missing_ok=True)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_code_in_a_model_runs_only_if_it_is_trusted(keras, owned, tmp_path, suffix):
    model = with_code(keras, owned, tmp_path / f"model{suffix}")
    assert "holds a Lambda layer, code that is not run; " in refused(model)
    assert refused(model).endswith("or, if you trust its author, run with --trust-model (in Python: trust_model=True)")
    assert not owned.exists()
    trusted = Keras(model=str(model))
    trusted.allow_code()
    assert trusted.classes == 3
    assert owned.exists(), "the payload works"


def test_the_command_asks_for_trust_and_so_does_every_resumption(keras, owned, tmp_path, capsys):
    with_code(keras, owned, tmp_path / "model.keras")
    (tmp_path / "mail.yaml").write_text(
        "name: mail\nclassifier: {name: keras, model: model.keras}\ntargets: 1\nstop: {evaluations: 50}\n"
        "reporters: []\n"
    )
    assert call("run", "mail.yaml") == 2
    assert "--trust-model" in capsys.readouterr().err
    assert not owned.exists()
    assert not (tmp_path / "runs").exists()
    with ExperimentSession(config.load("mail.yaml", options=Options(trust_model=True))) as begun:
        folder = RunFolder.create(begun.experiment, tmp_path / "begun")
    assert "trust" not in folder.config.read_text()
    owned.unlink()
    assert call("run", "--resume", folder.path) == 2
    assert not owned.exists()
    assert call("run", "--resume", folder.path, "--trust-model") == 0
    assert call("run", "mail.yaml", "--trust-model") == 0
    assert fooldeap.run("mail.yaml", trust_model=True).evaluations == 50
    owned.unlink()
    assert call("run", "mail.yaml") == 2
    assert not owned.exists()


def test_a_study_asks_for_trust(keras, owned, tmp_path, capsys):
    with_code(keras, owned, tmp_path / "model.keras")
    (tmp_path / "mail.yaml").write_text(
        "name: mail\nclassifier: {name: keras, model: model.keras}\ntargets: [0, 1]\nbudget: 100\nseeds: 2\n"
        "vary: {selection: [random, tournament]}\n"
    )
    assert call("compare", "mail.yaml", "--quiet") == 2
    assert call("compare", "mail.yaml", "--dry-run") == 2
    assert "--trust-model" in capsys.readouterr().err
    assert not owned.exists()
    assert call("compare", "mail.yaml", "--dry-run", "--trust-model") == 0
    assert owned.exists()


def test_trust_is_passed_to_workers(keras, owned, tmp_path):
    model = with_code(keras, owned, tmp_path / "model.keras")
    data = {
        "name": "trusted",
        "classifier": {"name": "keras", "model": str(model)},
        "targets": [0, 1],
        "stop": {"confidence": None, "generations": 3},
        "reporters": [],
        "executor": scoop(2),
    }
    with ExperimentSession(config.load(data, options=Options(trust_model=True))) as ready:
        ready.executor.wait()
        ready.run(None)
        assert len(ready.dispatcher.done) == 2


@pytest.mark.parametrize(
    "text",
    [
        "trust_model: true",
        "trust-model: true",
        "trust: {model: true}",
        "classifier: {name: keras, trust_model: true}",
        "classifier: {name: keras, safe_mode: false}",
        "classifier: {name: keras, _trusted: true}",
        "executor: {name: scoop, trust_model: true}",
    ],
)
def test_a_file_cannot_grant_itself_trust(text, owned, tmp_path, capsys):
    (tmp_path / "mail.yaml").write_text(text)
    assert call("run", "mail.yaml") == 2
    assert "unknown key" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"])
def test_layers_that_carry_code_are_refused_by_their_names(keras, owned, tmp_path, name):
    part = {"module": "keras.layers", "class_name": name, "config": {"filepath": "x"}, "registered_name": None}
    assert f"holds a {name} layer" in refused(rewritten(keras, tmp_path / "model.keras", layer(part)))


@pytest.mark.parametrize(
    "part",
    [
        {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None},
        {"module": "evil.deeper", "class_name": "Evil", "config": {}, "registered_name": "evil>Evil"},
        {"module": "evil", "class_name": "function", "config": "strike", "registered_name": "strike"},
        {"module": "keras.layers", "class_name": "ReLU", "config": {"x": [{"module": "evil", "class_name": "Evil"}]}},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": "keras_hub", "class_name": "Evil", "config": {}, "registered_name": None},
    ],
)
def test_modules_that_a_model_names_are_not_imported(keras, owned, tmp_path, monkeypatch, part):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "code outside Keras; " in refused(rewritten(keras, tmp_path / "model.keras", layer(part)))
    assert not owned.exists()


def test_a_custom_layer_is_imported_if_the_model_is_trusted(keras, owned, tmp_path, monkeypatch):
    (tmp_path / "doubling.py").write_text(
        "import keras\n\n\n@keras.saving.register_keras_serializable('mine')\nclass Doubled(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 2 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    part = {"module": "doubling", "class_name": "Doubled", "config": {}, "registered_name": "mine>Doubled"}
    model = rewritten(keras, tmp_path / "model.keras", layer(part))
    assert "needs 'Doubled', code outside Keras; " in refused(model)
    trusted = Keras(model=str(model))
    trusted.allow_code()
    assert trusted.classes == 3
    assert Keras(model=str(model)).classes == 3, "what the user's own code has told Keras of is no secret any more"
