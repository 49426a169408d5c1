"""Pixels are preprocessed as the model was trained, and a better preprocessing is suggested with its accuracy."""

import warnings

import numpy as np
import pytest
from helpers.keras_models import softmax

import fooldeap
from fooldeap.configuration import config
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.errors import FooldeapWarning, InputError
from fooldeap.formatting import proportion
from fooldeap.plugin import Split, dataclass, dataset
from fooldeap.registry import load
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins.classifier.keras import Keras
from fooldeap_plugins.classifier.onnx import Onnx
from fooldeap_plugins.classifier.torch import Torch

SHAPE = (6, 5, 3)
IMAGES = np.random.default_rng(3).integers(0, 256, (40, *SHAPE), dtype=np.uint8)
PRESETS = ("torch", "caffe", "tf")


def preprocessed(preset):
    """What the preprocessing of Keras makes of the images."""
    from keras.applications.imagenet_utils import preprocess_input

    return preprocess_input(IMAGES.astype(np.float64), data_format="channels_last", mode=preset)


def linear(keras):
    keras.utils.set_random_seed(2)
    spread = keras.initializers.RandomNormal(stddev=0.01)
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, kernel_initializer=spread)]
    return keras.Sequential([keras.Input(SHAPE), *layers])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("suffix", [None, ".keras", ".h5"])
def test_presets_of_keras_models(keras, tmp_path, preset, suffix):
    model, settings = linear(keras), {"outputs": "logits", "preprocessing": preset}
    if suffix is None:
        classifier = Keras.from_object(model, **settings)
    else:
        model.save(tmp_path / f"it{suffix}")
        classifier = Keras(model=str(tmp_path / f"it{suffix}"), **settings)
    np.testing.assert_allclose(classifier.logits(IMAGES), model(preprocessed(preset)), atol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_of_onnx_models(tmp_path, preset):
    runtime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 0.01, (90, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 6, 5])
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "linear", [image], [output], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "it.onnx").write_bytes(model.SerializeToString())
    fed = preprocessed(preset).transpose(0, 3, 1, 2).astype(np.float32)
    (own,) = runtime.InferenceSession(str(tmp_path / "it.onnx")).run(None, {"image": fed})
    classifier = Onnx(model=str(tmp_path / "it.onnx"), preprocessing=preset)
    np.testing.assert_allclose(classifier.logits(IMAGES), own, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_of_torch_models_and_their_gradient(tmp_path, preset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(48, 4))
    torch.jit.script(network.eval()).save(str(tmp_path / "it.pt"))
    fed = torch.from_numpy(preprocessed(preset).transpose(0, 3, 1, 2).astype(np.float32)).requires_grad_()
    own = network(fed)
    classifier = Torch(model=str(tmp_path / "it.pt"), shape=SHAPE, preprocessing=preset)
    np.testing.assert_allclose(classifier.logits(IMAGES), own.detach(), atol=1e-4)
    own.log_softmax(1)[:, 2].sum().backward()
    by_input = fed.grad.permute(0, 2, 3, 1).numpy()
    by_pixel = by_input[..., ::-1] if preset == "caffe" else by_input * classifier.scaling(3).scale
    np.testing.assert_allclose(classifier.gradient(IMAGES, np.full(len(IMAGES), 2)), by_pixel, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"preprocessing": "tf", "std": (2.0, 2.0, 2.0)},
            "'preprocessing: tf' and std, which it sets; leave 'std' out",
        ),
        ({"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, r"such as 'input_range: \[0, 1\]'"),
        ({"std": [0.5, 0.5, 0.5]}, r"standard deviations below 1 of pixels in 'input_range: \[0, 255\]'"),
        ({"input_range": (0, 1), "mean": [123.7, 116.3, 103.5]}, r"mean 123\.7 .* such as 'input_range: \[0, 255\]'"),
        ({"preprocessing": "torch", "input_range": (0, 1)}, "and input_range, which it sets; leave 'input_range' out"),
        ({"mean": (0.5,)}, "mean has 1 numbers, expected 3"),
        ({"std": (0.0, 1.0, 1.0)}, "expected numbers > 0"),
    ],
)
def test_wrong_preprocessing_is_refused(keras, settings, expected):
    with pytest.raises(InputError, match=expected):
        Keras.from_object(linear(keras), outputs="logits", **settings).logits(IMAGES)


def test_bgr_is_for_colours(keras):
    model = keras.Sequential([keras.Input((5, 5)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(InputError, match="'channels: bgr' for images of 1 channel, expected 3; leave 'channels' out"):
        Keras.from_object(model, outputs="logits", channels="bgr").logits(IMAGES)


# --- Accuracy of other preprocessing --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return loaded(Choice(load().get("dataset", "mnist"), {}))


@pytest.fixture(scope="module")
def tanh(keras, digits, tmp_path_factory):
    """A network that was trained on 0..1 and saturates on 0..255, and its accuracy by input range, from Keras."""
    keras.utils.set_random_seed(7)
    k = keras.layers
    lower = [k.Conv2D(6, 5, strides=2, activation="tanh"), k.AveragePooling2D(2), k.Flatten(), k.Dense(40, "tanh")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *lower, k.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(digits.train_images[:6000] / 255.0, digits.train_labels[:6000], epochs=4, batch_size=64, verbose=0)
    path = tmp_path_factory.mktemp("tanh") / "tanh.keras"
    model.save(path)

    def accuracy(scale, count):
        images, labels = digits.test_images[:count] * scale, digits.test_labels[:count]
        return float(np.mean(np.asarray(model(images.astype(np.float32))).argmax(axis=1) == labels))

    return str(path), accuracy


def said(capsys, **classifier):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        few = {"targets": [1], "stop": {"evaluations": 10}, "dataset": "mnist", "reporters": ["console"]}
        experiment = config.load({"classifier": {"name": "keras", **classifier}, **few})
        with ExperimentSession(experiment) as prepared:
            prepared.run(None)
    texts = [str(each.message) for each in caught if issubclass(each.category, FooldeapWarning)]
    return texts, capsys.readouterr().out, prepared


def test_better_input_range_is_suggested_with_both_accuracies(tanh, capsys):
    path, accuracy = tanh
    (text, *_), out, prepared = said(capsys, model=path)
    assert accuracy(1 / 255, 500) - accuracy(1, 500) > 0.05, "the model of the test saturates"
    own, other = proportion(accuracy(1, 2000)), proportion(accuracy(1 / 255, 500))
    assert text.startswith(f"the classifier is correct on {own} of 2000 test images, and on ")
    assert text.endswith(f"on {other} of 500 with other pixels; set 'input_range: [0, 1]'")
    assert f"accuracy of the classifier on the test images: {own}" in out
    assert prepared.evaluator.queries.probes >= 2000 + 500 + 2 * 500  # own, and two other ranges


def test_right_input_range_gets_no_warning(tanh, capsys):
    path, accuracy = tanh
    texts, out, _ = said(capsys, model=path, input_range=[0, 1])
    assert texts == []
    assert f"accuracy of the classifier on the test images: {proportion(accuracy(1 / 255, 2000))}" in out


def test_better_preset_is_suggested_for_colours(keras):
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 3
    images = np.zeros((600, *SHAPE), np.uint8) + rng.integers(90, 110, (600, *SHAPE), dtype=np.uint8)
    images[np.arange(600), :, :, labels] += 15

    @dataset("colours")
    @dataclass
    class Colours:
        def load(self):
            return Split(images, labels, images, labels)

    model = keras.Sequential([keras.Input(SHAPE), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    # It was trained on BGR with caffe's mean, so its classes are the channels in reverse order.
    model.layers[-1].set_weights([np.eye(3)[::-1] * 5, np.array([123.68, 116.779, 103.939]) * 5])
    stop = {"evaluations": 10}
    with pytest.warns(FooldeapWarning, match=r"100 % of 500 with other pixels; set 'preprocessing: caffe'"):
        fooldeap.fool(
            model, 1, classifier={"outputs": "logits"}, dataset="colours", plugins=[Colours], stop=stop, quiet=True
        )


# --- Inputs of other shapes -----------------------------------------------------------------------------------------


def test_flat_keras_input_takes_images_of_the_shape(keras):
    model = keras.Sequential([keras.Input((90,)), keras.layers.Dense(4)])
    with pytest.raises(InputError, match=r"takes 90 numbers; say the shape of its images: 'shape: \[height"):
        Keras.from_object(model, outputs="logits").logits(IMAGES)
    with pytest.raises(InputError, match=r"takes 90 numbers, got 'shape: \[5, 5, 3\]'"):
        Keras.from_object(model, outputs="logits", shape=(5, 5, 3)).logits(IMAGES)
    classifier = Keras.from_object(model, outputs="logits", shape=SHAPE)
    assert classifier.input_shape == SHAPE
    expected = model(IMAGES.reshape(40, 90).astype(np.float32))
    np.testing.assert_allclose(classifier.logits(IMAGES), expected, rtol=1e-4, atol=1e-4)


def test_keras_input_of_any_size_takes_images_of_the_shape(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input((None, None, 3)), k.Conv2D(4, 3), k.GlobalMaxPooling2D(), k.Softmax()])
    with pytest.raises(InputError, match=r"images of any size, \(None, None, 3\); say which: 'shape: \[height"):
        Keras.from_object(model).logits(IMAGES)
    classifier = Keras.from_object(model, shape=SHAPE)
    expected = np.asarray(model(IMAGES.astype(np.float32)))
    np.testing.assert_allclose(softmax(classifier.logits(IMAGES)), expected, atol=1e-5)
    with pytest.raises(InputError, match=r"got 'shape: \[6, 5, 1\]'|takes images of any size"):
        Keras.from_object(model, shape=(6, 5, 1)).logits(IMAGES)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("shape", [(12, 10, 1), (12, 10, 3)])
def test_torch_view_after_a_convolution(tmp_path, shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(shape[2], 4, 3)
            self.dense = torch.nn.Linear(320, 5)

        def forward(self, x):
            x = torch.relu(self.convolution(x))
            return self.dense(x.view(x.size(0), -1))

    network = Network().eval()
    torch.jit.trace(network, torch.zeros(2, shape[2], *shape[:2])).save(str(tmp_path / "it.pt"))
    images = np.random.default_rng(1).integers(0, 256, (40, *shape), dtype=np.uint8)
    fed = torch.tensor(images.transpose(0, 3, 1, 2).tolist()) / 255
    classifier = Torch(model=str(tmp_path / "it.pt"), shape=shape, input_range=(0, 1))
    np.testing.assert_allclose(classifier.logits(images), network(fed).detach(), atol=1e-5)
    assert classifier.gradient(images, np.full(len(images), 2)).shape == images.shape


@pytest.mark.parametrize("settings", [{"input_range": (0, 1)}, {"preprocessing": "caffe"}, {"channels": "bgr"}])
def test_scaled_pixels_are_refused_by_a_model_that_takes_integers(keras, settings):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    model = keras.Sequential([keras.Input(SHAPE, dtype="uint8"), *layers])
    with pytest.raises(
        InputError, match=f"takes uint8 pixels, got {next(iter(settings))}; leave '{next(iter(settings))}' out"
    ):
        Keras.from_object(model, **settings).logits(IMAGES)
    assert list(Keras.from_object(model).alternatives()) == []
    shown = Keras.from_object(model, outputs="probabilities").logits(IMAGES)
    np.testing.assert_allclose(np.exp(shown), model(IMAGES), atol=1e-5)
