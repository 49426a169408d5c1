"""PyTorch models as users have them: weights with their class, exported programs, in memory. Against PyTorch."""

import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fooldeap
from fooldeap.errors import InputError
from fooldeap_plugins.classifier.torch import Torch, devices

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), dtype=np.uint8)
FED = torch.tensor(IMAGES.transpose(0, 3, 1, 2).tolist()) / 255
CODE = """
import torch


class CNN(torch.nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.drop = torch.nn.Dropout(0.5)
        self.dense = torch.nn.Linear(144, classes)

    def forward(self, x):
        x = torch.relu(self.norm(self.convolution(x)))
        return self.dense(self.drop(x.view(x.size(0), -1)))


def built():
    return CNN(5)


class Other(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(3, 3)


class Demanding(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()


def nothing():
    return 7
"""


@pytest.fixture
def cnn(tmp_path):
    """A network whose class is in model.py, with statistics of batch normalisation that are not the initial ones."""
    (tmp_path / "model.py").write_text(CODE)
    namespace = {}
    exec(CODE, namespace)
    torch.manual_seed(0)
    network = namespace["CNN"]()
    network(FED * 3)  # in training mode
    with torch.no_grad():
        network.dense.weight *= 20
    return network.eval()


def independent(network):
    with torch.no_grad():
        return network(FED).numpy()


WRAPS = (
    lambda state: state,
    lambda state: {"epoch": 3, "state_dict": state},
    lambda state: {f"module.{key}": value for key, value in state.items()},  # DataParallel
    lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},  # of a compiled module
    lambda state: {"state_dict": {f"net.{key}": value for key, value in state.items()}, "epoch": 3},
    lambda state: {f"net.{key}": value for key, value in state.items() if "num_batches" not in key},
)


@pytest.mark.parametrize("name", ["CNN", "built"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_weights_with_their_class(cnn, tmp_path, name, wrap):
    state = cnn.state_dict()
    torch.save(wrap(state), tmp_path / "weights.pth")
    network = f"{tmp_path / 'model.py'}:{name}"
    classifier = Torch(model=str(tmp_path / "weights.pth"), network=network, shape=SHAPE, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(IMAGES), independent(cnn), atol=1e-5)
    before = classifier.digest
    (tmp_path / "model.py").write_text(CODE.replace("Dropout(0.5)", "Dropout(0.4)"))
    assert Torch(model=str(tmp_path / "weights.pth"), network=network, shape=SHAPE).digest != before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.py:Demanding", "expected a class or function without required arguments; write one: 'def network"),
        ("model.py:nothing", "gives int, expected a torch.nn.Module"),
        ("model.py:Other", "does not fit the weights .*Unexpected key.*torch.Size.*; name the class they are of"),
        ("model.py:CNNN", "did you mean 'CNN'"),
        ("model.py", "expected package.module:name or file.py:name"),
    ],
)
def test_wrong_network_is_refused_in_one_line(cnn, tmp_path, monkeypatch, name, expected):
    monkeypatch.chdir(tmp_path)
    torch.save(cnn.state_dict(), "weights.pth")
    with pytest.raises(InputError, match=expected) as error:
        Torch(model="weights.pth", network=name, shape=SHAPE).logits(IMAGES)
    assert "\n" not in str(error.value)


def test_part_of_the_weights_that_fits_is_saved_by_the_code_of_the_message(cnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = torch.nn.Module()
    whole.net, whole.loss = cnn, torch.nn.Linear(2, 2)
    torch.save(whole.state_dict(), "weights.pth")
    with pytest.raises(InputError, match=r"those that begin with 'net\.' fit it") as error:
        Torch(model="weights.pth", network="model.py:CNN", shape=SHAPE).logits(IMAGES)
    exec(re.search(r"torch\.save\(.*\)$", str(error.value))[0], {"torch": torch, "model": whole})
    classifier = Torch(model="NAME.pth", network="model.py:CNN", shape=SHAPE, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(IMAGES), independent(cnn), atol=1e-5)


def test_module_beside_the_network_is_found_in_the_folder_of_the_message(cnn, tmp_path, monkeypatch):
    torch.save(cnn.state_dict(), tmp_path / "weights.pth")
    (tmp_path / "builder.py").write_text("import model\n\n\ndef build():\n    return model.CNN()\n")
    settings = {"model": str(tmp_path / "weights.pth"), "network": f"{tmp_path / 'builder.py'}:build", "shape": SHAPE}
    with pytest.raises(InputError, match="run with PYTHONPATH=") as error:
        Torch(**settings).logits(IMAGES)
    monkeypatch.syspath_prepend(re.search(r"PYTHONPATH=(\S+)", str(error.value))[1])
    classifier = Torch(**settings, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(IMAGES), independent(cnn), atol=1e-5)
    del sys.modules["model"]


def test_weights_in_the_format_before_version_1_6(cnn, tmp_path):
    torch.save(cnn.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    network = f"{tmp_path / 'model.py'}:CNN"
    classifier = Torch(model=str(tmp_path / "old.pth"), network=network, shape=SHAPE, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(IMAGES), independent(cnn), atol=1e-5)


def test_pickle_of_a_whole_model_runs_no_code(cnn, tmp_path, monkeypatch):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    (tmp_path / "model.py").write_text(CODE)
    torch.save({"state_dict": Payload()}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"save the weights alone: torch.save\(model.state_dict\(\)"):
        Torch(model=str(tmp_path / "weights.pth"), network=f"{tmp_path / 'model.py'}:CNN", shape=SHAPE).logits(IMAGES)
    assert not (tmp_path / "owned").exists()


def test_weights_without_their_class_name_the_key_that_solves_it(cnn, tmp_path, monkeypatch, capsys):
    from helpers.commands import call

    monkeypatch.chdir(tmp_path)
    torch.save(cnn.state_dict(), "weights.pth")
    keys = ["classifier.shape=[8,8,1]", "classifier.input_range=[0,1]", "targets=[3]", "stop.evaluations=2000"]
    (tmp_path / "it.yaml").write_text("classifier: {name: torch, model: weights.pth}\nreporters: [images]\n")
    assert call("run", "it.yaml", *keys) == 2
    assert "name its class: 'network: file.py:CLASS'" in capsys.readouterr().err
    assert call("run", "it.yaml", "classifier.network=model.py:CNN", *keys, "--out", "run") == 0
    result = fooldeap.load("run")
    image = torch.tensor(result[3].image.pixels.transpose(2, 0, 1)[None].tolist()) / 255
    own = cnn(image).softmax(1)[0].detach()
    assert result[3].confidence == pytest.approx(float(own[3]), abs=1e-6)
    assert result[3].predicted == int(own.argmax())


def test_network_that_a_file_names_is_announced_or_refused(cnn, tmp_path, monkeypatch, capfd):
    from helpers.commands import call

    monkeypatch.chdir(tmp_path)
    torch.save(cnn.state_dict(), "weights.pth")
    settings = "{name: torch, model: weights.pth, network: 'model.py:CNN', shape: [8, 8, 1], input_range: [0, 1]}"
    (tmp_path / "it.yaml").write_text(f"classifier: {settings}\ntargets: 1\nstop: {{evaluations: 9}}\nreporters: []\n")
    assert call("run", "it.yaml", "--no-plugins") == 2
    assert "--no-plugins forbids" in capfd.readouterr().err
    assert call("run", "it.yaml") == 0
    assert "uses classifier.network: " in capfd.readouterr().err


# --- In memory ------------------------------------------------------------------------------------------------------

FEW = {"stop": {"confidence": 0.9, "evaluations": 3000}, "quiet": True}
KEYS = {"shape": list(SHAPE), "input_range": [0, 1]}


def memory(network, kind):
    match kind:
        case "module":
            return network
        case "traced":
            return torch.jit.trace(network, FED[:2])
        case "exported":
            return torch.export.export(network, (FED[:4],))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["module", "traced", "exported"])
def test_model_in_memory_is_fooled_with_its_own_confidence(cnn, kind):
    result = fooldeap.fool(memory(cnn, kind), [1, 3], classifier=KEYS, **FEW)
    for run in result:
        image = torch.tensor(run.image.pixels.transpose(2, 0, 1)[None].tolist()) / 255
        with torch.no_grad():
            own = cnn(image).softmax(1)[0]
        assert run.confidence == pytest.approx(float(own[run.target]), abs=1e-6)
        assert run.reached


def test_module_in_training_mode_is_used_in_inference_mode_and_is_not_changed(cnn):
    expected = independent(cnn)
    cnn.train()
    classifier = Torch.from_object(cnn, shape=SHAPE, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(IMAGES), expected, atol=1e-5)
    assert cnn.training
    digest = classifier.digest
    with torch.no_grad():
        cnn.dense.bias += 1
    assert Torch.from_object(cnn, shape=SHAPE).digest != digest


def test_module_without_shape_is_told_the_key(cnn):
    with pytest.raises(InputError, match=r"say it: 'shape: \[height, width, channels\]'"):
        fooldeap.fool(cnn, 1, **FEW)


def test_model_with_several_values_or_named_logits(cnn):
    class Several(torch.nn.Module):
        def __init__(self, give):
            super().__init__()
            self.cnn, self.give = cnn, give

        def forward(self, x):
            return self.give(self.cnn(x))

    gives = [
        (lambda scores: {"logits": scores, "other": 1}, {}),
        (lambda scores: {"scores": scores}, {"output": "scores"}),
        (lambda scores: (scores * 2, scores), {"output": "1"}),
        (lambda scores: (scores * 2, scores), {"output": 1}),
        (lambda scores: (scores, scores * 2), {"output": 0}),
        (lambda scores: (None, scores), {"output": 1}),
    ]
    for give, settings in gives:
        classifier = Torch.from_object(Several(give), shape=SHAPE, input_range=(0, 1), **settings)
        np.testing.assert_allclose(classifier.logits(IMAGES), independent(cnn), atol=1e-5)
    with pytest.raises(InputError, match=r"0 .*, 1 .*; say which has the scores of the classes: 'output: NAME'"):
        Torch.from_object(Several(lambda scores: (scores, scores)), shape=SHAPE).logits(IMAGES)


def test_device_that_is_not_there_is_refused(cnn):
    gpus = devices(torch) != "cpu"
    if not gpus:
        with pytest.raises(InputError, match="got 'device: cuda:0', expected one of cpu; say 'device: cpu'"):
            Torch.from_object(cnn, shape=SHAPE, device="cuda:0").logits(IMAGES)
    with pytest.raises(InputError, match="got 'device: gpu', expected auto, cpu, cuda or cuda:0"):
        Torch.from_object(cnn, shape=SHAPE, device="gpu")
    same = [Torch.from_object(cnn, shape=SHAPE, device=device).logits(IMAGES) for device in ("cpu", "auto")]
    if not gpus:
        np.testing.assert_array_equal(*same)


# --- After TensorFlow -----------------------------------------------------------------------------------------------


def test_exported_program_after_a_keras_model_in_one_process(cnn, tmp_path):
    """The process ends if triton is imported after TensorFlow. A module that ends the process stands for it here."""
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton/__init__.py").write_text("import os, sys\nif 'tensorflow' in sys.modules: os._exit(99)\n")
    torch.export.save(torch.export.export(cnn, (FED[:4],)), tmp_path / "it.pt2")
    script = """
        import numpy as np, fooldeap
        from fooldeap_plugins.classifier.keras import Keras
        from fooldeap_plugins.classifier.torch import Torch, devices

        Keras(model="mnist_lenet").logits(np.zeros((32, 28, 28, 1), np.uint8))
        classifier = Torch(model="it.pt2")
        classifier.allow_code()
        print(classifier.logits(np.zeros((4, 8, 8, 1), np.uint8)).tolist()[0])
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with torch.no_grad():
        expected = cnn(torch.zeros(1, 1, 8, 8))[0]
    np.testing.assert_allclose(eval(done.stdout.strip().splitlines()[-1]), expected, atol=1e-5)
