"""Classifiers that are no Keras models: ONNX against Keras, PyTorch where it is installed; class names."""

import pickle
import sys
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.experiments import KIT

from fooldeap import registry
from fooldeap.engine.calibration import calibrate
from fooldeap.engine.evaluation import Evaluator
from fooldeap.errors import InputError
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.plugin import plugin_of
from fooldeap.testing import broken
from fooldeap_plugins.classifier._model import path_of
from fooldeap_plugins.classifier._scores import Scaling
from fooldeap_plugins.classifier.keras import Keras
from fooldeap_plugins.classifier.onnx import Onnx
from fooldeap_plugins.classifier.torch import Torch, _device

sys.path.insert(0, str(KIT))
from exports import as_onnx

RNG = np.random.default_rng(0)
DIGITS = RNG.integers(0, 256, (70, 28, 28, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def cnn():
    tensorflow()
    import keras

    return keras.models.load_model(path_of("mnist_cnn", plugin_of(Keras)), compile=False)


@pytest.fixture
def exported(cnn, tmp_path):
    """A function that writes an ONNX file and returns its path."""

    def write(change=lambda model: None, **how):
        model = as_onnx(cnn, **how)
        change(model)
        (tmp_path / "cnn.onnx").write_bytes(model.SerializeToString())
        return str(tmp_path / "cnn.onnx")

    return write


# --- ONNX -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "batch", "softmax"),
    [("nchw", None, True), ("nchw", 16, False), ("nhwc", None, False), ("nhwc", 16, True)],
)
def test_an_export_gives_the_logits_of_the_model(exported, layout, batch, softmax):
    made, original = Onnx(model=exported(layout=layout, batch=batch, softmax=softmax)), Keras(model="mnist_cnn")
    assert made.input_shape == original.input_shape
    assert made.classes == original.classes
    logits = made.logits(DIGITS)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, original.logits(DIGITS), atol=1e-4)
    ours, theirs = (np.sort(each.features(DIGITS)) for each in (made, original))  # flattened in another order
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert made.logits(DIGITS[:0]).shape == (0, 10)
    assert calibrate(Evaluator(made)).depends_on == "image"


def test_logarithms_are_taken_of_probabilities(exported):
    made, original = Onnx(model=exported(), outputs="probabilities"), Keras(model="mnist_cnn")
    scores = original.logits(DIGITS).astype(float)
    expected = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(made.logits(DIGITS), expected, atol=1e-3)


def test_pixels_are_scaled_as_the_model_wants(exported):
    def unscaled(model):
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32(1), "scale"))

    from onnx import numpy_helper

    path = exported(unscaled)
    # ((x / 255) - 0.5) / 0.5 is [-1, 1]; undone by a mean of -1 and a std of 2 in that range, it is [0, 1] again.
    twice = Onnx(model=path, input_range=(-1, 1), mean=(-1.0,), std=(2.0,)).logits(DIGITS)
    once = Onnx(model=path, input_range=(0, 1)).logits(DIGITS)
    np.testing.assert_allclose(twice, once, atol=1e-4)
    np.testing.assert_allclose(once, Keras(model="mnist_cnn").logits(DIGITS), atol=1e-4)


def test_scaling_is_that_of_every_channel():
    image = RNG.integers(0, 256, (2, 3, 3, 3), dtype=np.uint8)
    scaling = Scaling.of((0, 1), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 3, "it")
    red, blue = (image[..., 0] / 255 - 0.485) / 0.229, (image[..., 2] / 255 - 0.406) / 0.225
    np.testing.assert_allclose(scaling(image)[..., 0], red, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scaling(image)[..., 2], blue, rtol=1e-4, atol=1e-5)


def _opened(model, *sides):
    for side in sides:
        model.graph.input[0].type.tensor_type.shape.dim[side].Clear()


def _elsewhere(model):
    model.graph.initializer[1].data_location = 1
    model.graph.initializer[1].external_data.add(key="location", value="../weights.bin")


def _of_any_size(model):
    _opened(model, 2, 3)


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        (lambda model: _opened(model, 1, 2, 3), {}, "say 'layout: nchw'"),
        (_elsewhere, {}, "keeps its weights in other files"),
        (_of_any_size, {}, "say which: 'shape: [height, width, 1]'"),
        (lambda model: model.graph.output.add(name="r1"), {}, "has 2 outputs: "),
        (lambda model: model.graph.node[0].__setattr__("op_type", "Nonsense"), {}, "does not load"),
        (lambda model: None, {"outputs": "logits"}, "gives probabilities"),
        (lambda model: None, {"mean": (0.0, 0.0, 0.0)}, "mean has 3 numbers, expected 1"),
        (lambda model: None, {"std": (0.0,)}, "expected numbers > 0"),
        (lambda model: None, {"shape": (14, 14, 1)}, "got 'shape: [14, 14, 1]'"),
    ],
)
def test_unsupported_onnx_files_are_refused_in_one_line(exported, change, settings, said):
    with pytest.raises(InputError) as error:
        Onnx(model=exported(change), **settings).logits(DIGITS)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_complete_an_unspecified_onnx_file(exported):
    made = Onnx(model=exported(_of_any_size), shape=(28, 28, 1))
    np.testing.assert_allclose(made.logits(DIGITS), Keras(model="mnist_cnn").logits(DIGITS), atol=1e-4)


def test_noise_is_no_onnx_model(tmp_path):
    (tmp_path / "noise.onnx").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="damaged or no ONNX model"):
        _ = Onnx(model=str(tmp_path / "noise.onnx")).classes


def test_an_onnx_classifier_keeps_its_promises_and_travels(exported):
    path = exported()
    assert broken(Onnx, model=path) == {}
    other = pickle.loads(pickle.dumps(Onnx(model=path)))
    assert other.digest == Onnx(model=path).digest
    assert np.array_equal(other.logits(DIGITS), Onnx(model=path).logits(DIGITS))


def test_without_its_package_the_extra_is_named(exported, monkeypatch):
    path = exported()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'fooldeap\[onnx\]'"):
        _ = Onnx(model=path).classes


# --- PyTorch --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def network(torch):
    torch.manual_seed(1)
    nn = torch.nn
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    return nn.Sequential(*layers).eval()


COLOURS = RNG.integers(0, 256, (40, 20, 20, 3), dtype=np.uint8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_gives_the_scores_of_the_model_and_their_gradient(torch, network, tmp_path):
    torch.jit.script(network).save(str(tmp_path / "it.pt"))
    made = Torch(model=str(tmp_path / "it.pt"), shape=(20, 20, 3), input_range=(0, 1))
    pixels = torch.from_numpy(COLOURS).permute(0, 3, 1, 2).float().requires_grad_()
    scores = network(pixels / 255)
    np.testing.assert_allclose(made.logits(COLOURS), scores.detach(), atol=1e-5)
    torch.log_softmax(scores, 1)[:, 2].sum().backward()
    np.testing.assert_allclose(
        made.gradient(COLOURS, np.full(len(COLOURS), 2)), pixels.grad.permute(0, 2, 3, 1), atol=1e-6
    )
    assert calibrate(Evaluator(made)).depends_on == "image"


@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_is_code(torch, network, tmp_path):
    path = tmp_path / "it.pt2"
    torch.export.save(torch.export.export(network, (torch.zeros(4, 3, 20, 20),)), path)
    with pytest.raises(InputError, match="--trust-model"):
        _ = Torch(model=str(path)).classes
    made = Torch(model=str(path))
    made.allow_code()
    assert made.input_shape == (20, 20, 3)
    expected = network(torch.from_numpy(COLOURS).permute(0, 3, 1, 2).float()).detach()
    np.testing.assert_allclose(made.logits(COLOURS), expected, atol=1e-4)


def _archive(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"it/{name}", text)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"data.pkl": "", "version": "3"}, "pickle of torch.save; if it has the weights of a model, name its class"),
        ({"code/__torch__.py": 'y = torch.from_file("x", True, 5)', "data.pkl": ""}, "reaches outside"),
        ({"code/__torch__.py": 'ops.aten.save(y, "x")', "data.pkl": ""}, "reaches outside"),
        ({"models/model.json": "{}"}, "which is code"),
        ({"weights": "0"}, "neither TorchScript nor"),
    ],
)
def test_other_files_are_refused_before_torch_is_imported(members, said, tmp_path):
    _archive(tmp_path / "it.pt", **members)
    with pytest.raises(InputError, match=said):
        _ = Torch(model=str(tmp_path / "it.pt"), shape=(8, 8, 1)).classes


# --- Names ----------------------------------------------------------------------------------------------------------


def test_classes_are_named_by_a_file(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(f"digit {index}" for index in range(10)) + "\n")
    assert Keras(model="mnist_cnn", class_names=str(path)).names[3] == "digit 3"
    assert Keras(model="mnist_cnn").names is None
    for text, said in (("a\nb\n", "2 lines"), ("\n" * 10, "an empty line")):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            _ = Keras(model="mnist_cnn", class_names=str(path)).names
    with pytest.raises(InputError, match="cannot be read"):
        _ = Keras(model="mnist_cnn", class_names="nowhere.txt").names


def test_the_plugins_are_found_by_name():
    known = registry.load()
    assert {"onnx", "torch", "callable"} <= {plugin.name for plugin in known.all("classifier")}


def test_only_a_driver_that_is_too_old_is_worth_a_warning_of_pytorch():
    """PyTorch with CUDA warns without a GPU, if TensorFlow has looked for one before."""

    def without_gpu(message):
        cuda = SimpleNamespace(device_count=lambda: warnings.warn(message, UserWarning, stacklevel=1) or 0)
        return SimpleNamespace(cuda=cuda, device=str)

    assert _device(without_gpu("CUDA initialization: Unexpected error from cudaGetDeviceCount()."), "auto", "") == "cpu"
    with pytest.warns(UserWarning, match="too old"):
        _device(without_gpu("CUDA initialization: The NVIDIA driver on your system is too old"), "auto", "")
