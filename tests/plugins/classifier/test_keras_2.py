"""Files of Keras 2: loaded where that is safe, otherwise refused with what works. Against tf_keras, see the data."""

import re
import shutil

import numpy as np
import pytest
from helpers.experiments import ROOT

import fooldeap
from fooldeap.contracts import log_confidences
from fooldeap.errors import InputError
from fooldeap_plugins.classifier.callable import FunctionClassifier
from fooldeap_plugins.classifier.keras import Keras
from fooldeap_plugins.classifier.onnx import Onnx

FOLDER = ROOT / "tests/data/keras2"
OUTPUTS = np.load(FOLDER / "outputs.npz", allow_pickle=False)  # of tf_keras


def images(channels):
    return np.random.default_rng(0).integers(0, 256, (8, 12, 12, channels), dtype=np.uint8)


def confidences(classifier):
    shown = images(classifier.input_shape[2])
    return np.exp(log_confidences(classifier.logits(shown), classifier.confidence_kind))


@pytest.mark.parametrize("name", ["depthwise", "separable"])
def test_hdf5_file_of_keras_2_is_loaded(name):
    classifier = Keras(model=str(FOLDER / f"{name}.h5"))
    np.testing.assert_allclose(confidences(classifier), OUTPUTS[name], atol=1e-6)


@pytest.mark.parametrize(("name", "uses"), [("operations.h5", "TFOpLambda"), ("operations.keras", "Functional")])
def test_operations_of_keras_2_are_refused_with_what_works_instead(name, uses):
    with pytest.raises(InputError, match=rf"was written by Keras 2\.21\.0 and uses '{uses}'") as error:
        Keras(model=str(FOLDER / name)).logits(images(3))
    assert "trust" not in str(error.value)
    assert "'Keras 2' in docs/classifiers.md" in str(error.value)
    assert "### Keras 2\n" in (ROOT / "docs/classifiers.md").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_conversion_that_the_message_names_is_the_model(tmp_path, monkeypatch):
    tf_keras, tf2onnx = pytest.importorskip("tf_keras"), pytest.importorskip("tf2onnx")
    with pytest.raises(InputError) as error:
        Keras(model=str(FOLDER / "operations.keras")).logits(images(3))
    (command,) = re.findall(r"convert it with (tf2onnx\..*\)) and say 'name: onnx'", str(error.value))
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLDER / "operations.keras", "FILE.keras")
    exec(command, {"tf_keras": tf_keras, "tf2onnx": tf2onnx})
    np.testing.assert_allclose(confidences(Onnx(model="NAME.onnx")), OUTPUTS["operations"], atol=1e-6)


def test_conversion_with_tf2onnx_is_the_model():
    pytest.importorskip("onnxruntime")
    classifier = Onnx(model=str(FOLDER / "operations.onnx"))
    assert classifier.input_shape == (12, 12, 3)
    np.testing.assert_allclose(confidences(classifier), OUTPUTS["operations"], atol=1e-6)
    result = fooldeap.fool(str(FOLDER / "operations.onnx"), 2, stop={"evaluations": 300}, quiet=True)
    assert result[2].evaluations == 300


@pytest.mark.slow
def test_function_with_tf_keras_is_the_model(tmp_path, monkeypatch):
    pytest.importorskip("tf_keras")
    (tmp_path / "old.py").write_text(
        "import tf_keras\n"
        f"MODEL = tf_keras.models.load_model({str(FOLDER / 'operations.keras')!r}, compile=False)\n"
        "def scores(images):\n    return MODEL(images.astype('float32'), training=False).numpy()\n"
    )
    function = f"{tmp_path / 'old.py'}:scores"
    classifier = FunctionClassifier(function=function, shape=(12, 12, 3), classes=5)
    np.testing.assert_allclose(confidences(classifier), OUTPUTS["operations"], atol=1e-6)


def test_hdf5_file_with_the_name_of_an_archive_is_loaded(tmp_path):
    shutil.copy(FOLDER / "depthwise.h5", tmp_path / "it.keras")
    classifier = Keras(model=str(tmp_path / "it.keras"))
    np.testing.assert_allclose(confidences(classifier), OUTPUTS["depthwise"], atol=1e-6)


def test_archive_with_the_name_of_an_hdf5_file_is_loaded(keras, tmp_path):
    model = keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.save(tmp_path / "it.keras")
    (tmp_path / "it.keras").rename(tmp_path / "it.h5")
    shown = np.random.default_rng(0).integers(0, 256, (8, 5, 5, 1), dtype=np.uint8)
    logits = Keras(model=str(tmp_path / "it.h5")).logits(shown)
    np.testing.assert_allclose(np.exp(log_confidences(logits, "softmax")), model(shown.astype("f")), atol=1e-6)


def test_file_of_weights_is_named_as_such():
    with pytest.raises(InputError, match=r"has weights alone, without the layers; build the model in Python, then "):
        Keras(model=str(FOLDER / "operations.weights.h5")).logits(images(3))


def test_long_errors_show_their_end(keras, tmp_path):
    model = keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.save(tmp_path / "it.h5")
    import h5py

    with h5py.File(tmp_path / "it.h5", "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"units": 3', '"unitss": 3')
    with pytest.raises(
        InputError, match=r"does not load: TypeError: .{20,} \.\.\. .*missing 1 required positional argument: 'units'"
    ):
        Keras(model=str(tmp_path / "it.h5")).logits(images(1))


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("it.tflite", "TFLite"),
        ("it.joblib", "scikit-learn"),
        ("it.safetensors", "Hugging Face"),
        ("saved/saved_model.pb", "SavedModel"),
        ("js/model.json", "TensorFlow.js"),
    ],
)
def test_formats_without_a_plugin_are_told_their_recipe(tmp_path, name, section):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    for model in {path, path.parent if path.parent != tmp_path else path}:
        with pytest.raises(InputError, match=rf"classifier 'callable', or convert it, see '{section}' in docs/classif"):
            Keras(model=str(model)).logits(images(1))
    assert f"### {section}\n" in (ROOT / "docs/classifiers.md").read_text()
