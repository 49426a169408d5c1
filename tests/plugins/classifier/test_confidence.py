"""Confidence is that of the model: softmax, sigmoid or its own probabilities, against its own framework."""

import json
import sys

import numpy as np
import pytest

import fooldeap
from fooldeap.audit.session import audit
from fooldeap.contracts import log_confidences
from fooldeap.engine import snapshots
from fooldeap.errors import InputError, PluginError
from fooldeap.report.pictures import probabilities_of
from fooldeap.results import FoolingImage
from fooldeap_plugins.classifier._scores import confidence_kind, logarithms
from fooldeap_plugins.classifier.callable import FunctionClassifier
from fooldeap_plugins.classifier.keras import Keras
from fooldeap_plugins.classifier.onnx import Onnx
from fooldeap_plugins.classifier.torch import Torch

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(3).integers(0, 256, (40, *SHAPE), dtype=np.uint8)
THREES = np.full(len(IMAGES), 3)


def network(keras, activation, *, head=None, classes=10):
    """A small network with strong weights, so that its confidences are spread over 0..1."""
    keras.utils.set_random_seed(4)
    spread = keras.initializers.RandomNormal(stddev=1.0)
    layers = [keras.Input(SHAPE), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    dense = keras.layers.Dense(classes, activation=activation, kernel_initializer=spread)
    return keras.Sequential([*layers, dense, *([head] if head else [])])


def independent(model, images):
    """The forward pass of Keras itself."""
    return np.asarray(model(images.astype(np.float32), training=False), np.float64)


def confidences(classifier, images):
    return np.exp(log_confidences(classifier.logits(images), classifier.confidence_kind))


def heads(keras):
    return {
        "dense": network(keras, "sigmoid"),
        "activation": network(keras, None, head=keras.layers.Activation("sigmoid")),
        "nested": keras.Sequential([keras.Input(SHAPE), network(keras, "sigmoid")]),
        "operation": _operation(keras),
    }


def _operation(keras):
    image = keras.Input(SHAPE)
    return keras.Model(image, keras.ops.sigmoid(network(keras, None)(image)))


@pytest.mark.parametrize("head", ["dense", "activation", "nested", "operation"])
@pytest.mark.parametrize("outputs", ["auto", "sigmoid"])
def test_final_sigmoid_is_removed_and_confidence_is_the_model_s_probability(keras, head, outputs):
    model = heads(keras)[head]
    classifier = Keras.from_object(model, outputs=outputs)
    assert classifier.confidence_kind == "sigmoid"
    np.testing.assert_allclose(confidences(classifier, IMAGES), independent(model, IMAGES), atol=1e-6)
    assert np.ptp(classifier.logits(IMAGES)) > 10  # logits, not values in 0..1


def test_gradient_is_that_of_the_log_of_the_sigmoid(keras):
    import tensorflow as tf

    model = network(keras, "sigmoid")
    pixels = tf.Variable(IMAGES.astype(np.float32))
    with tf.GradientTape() as tape:
        log_p = tf.reduce_sum(tf.math.log(model(pixels)[:, 3]))
    expected = tape.gradient(log_p, pixels).numpy()
    np.testing.assert_allclose(Keras.from_object(model).gradient(IMAGES, THREES), expected, rtol=1e-3, atol=1e-6)


def test_run_on_a_sigmoid_model_reports_its_probability_in_every_file(keras, tmp_path):
    model = network(keras, "sigmoid")
    model.save(tmp_path / "sigmoid.keras")
    classifier = {"name": "keras", "model": str(tmp_path / "sigmoid.keras")}
    stop = {"confidence": 0.99, "evaluations": 4000}
    result = fooldeap.run({"targets": [3, 7]}, out=tmp_path / "run", quiet=True, classifier=classifier, stop=stop)
    for run in result:
        (own,) = independent(model, run.image.pixels[None])
        assert run.reached
        assert run.confidence == pytest.approx(own[run.target], abs=1e-6)
        assert own[run.target] >= 0.99
        assert run.predicted == own.argmax()
        assert run.snapshots[-1].confidence_kind == "sigmoid"
        np.testing.assert_allclose(probabilities_of(run.snapshots)[-1], own, atol=1e-6)
    (again, _) = snapshots.unpacked((tmp_path / "run/snapshots.npz").read_bytes(), 2)
    assert str(again[-1].confidence_kind) == "sigmoid"
    assert fooldeap.load(tmp_path / "run")[3].confidence == result[3].confidence
    assert fooldeap.verify(tmp_path / "run").reproduced


def test_onnx_sigmoid_is_removed(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "sigmoid.onnx"
    path.write_bytes(onnx_file(final="Sigmoid"))
    session = onnxruntime.InferenceSession(str(path))
    (own,) = session.run(None, {"image": IMAGES.transpose(0, 3, 1, 2).astype(np.float32)})
    for outputs in ("auto", "sigmoid"):
        classifier = Onnx(model=str(path), outputs=outputs)
        assert classifier.confidence_kind == "sigmoid"
        np.testing.assert_allclose(confidences(classifier, IMAGES), own, atol=1e-6)
        assert np.ptp(classifier.logits(IMAGES)) > 10


def onnx_file(final):
    """A linear ONNX model of 10 classes that ends in an operator."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 0.01, (64, 10)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node(final, ["scores"], ["output"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "linear", [image], [output], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("outputs", "kind"), [("sigmoid", "probability"), ("logits", "softmax")])
def test_torch_sigmoid_is_the_confidence_and_its_logarithm_has_the_gradient(tmp_path, outputs, kind):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Sigmoid()).eval()
    torch.jit.trace(network, torch.zeros(2, 1, 8, 8)).save(str(tmp_path / "it.pt"))
    classifier = Torch(model=str(tmp_path / "it.pt"), shape=SHAPE, input_range=(0, 1), outputs=outputs)
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float().requires_grad_()
    own = network(pixels / 255)
    expected = own if outputs == "sigmoid" else own.softmax(1)
    assert classifier.confidence_kind == kind
    np.testing.assert_allclose(confidences(classifier, IMAGES), expected.detach(), atol=1e-6)
    expected.log()[:, 3].sum().backward()
    np.testing.assert_allclose(
        classifier.gradient(IMAGES, THREES), pixels.grad.permute(0, 2, 3, 1), rtol=1e-3, atol=1e-7
    )


INT8 = """
import numpy as np

WEIGHTS = np.random.default_rng(0).normal(0, 0.02, (64, 10))


def int8(images):
    scores = images.reshape(len(images), -1) @ WEIGHTS
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.minimum(np.round(shares * 256), 255) / 256  # as TensorFlow Lite writes them: steps of 1/256


def sigmoids(images):
    return 1 / (1 + np.exp(-(images.reshape(len(images), -1) @ WEIGHTS)))


def raw(images):
    return images.reshape(len(images), -1) @ WEIGHTS
"""


@pytest.fixture
def function(tmp_path):
    """A function that returns a classifier of one of the functions above."""
    (tmp_path / "own.py").write_text(INT8)
    sys.path.insert(0, str(tmp_path))
    sys.modules.pop("own", None)

    def build(name, **settings):
        return FunctionClassifier(function=f"own:{name}", shape=SHAPE, classes=10, **settings)

    yield build
    sys.path.remove(str(tmp_path))


def test_coarse_probabilities_are_reported_as_the_model_gives_them(function, tmp_path):
    import own

    with pytest.raises(InputError, match="a rounded softmax, 'outputs: probabilities'"):
        function("int8").logits(IMAGES)
    settings = {"shape": list(SHAPE), "classes": 10, "outputs": "probabilities"}
    classifier = function("int8", outputs="probabilities")
    np.testing.assert_allclose(confidences(classifier, IMAGES), own.int8(IMAGES), rtol=1e-6, atol=1e-29)
    given = {"name": "callable", "function": "own:int8", **settings}
    result = fooldeap.fool(given, 3, quiet=True, stop={"confidence": 0.9999, "evaluations": 3000})
    assert own.int8(result[3].image.pixels[None])[0, 3] == 255 / 256
    assert result[3].confidence == 255 / 256
    assert not result[3].reached  # the model never gives 99.99 %


def test_sigmoids_that_cannot_be_removed_are_taken_as_they_are(function):
    import own

    with pytest.raises(InputError, match=r"say 'outputs: logits'; .* say 'outputs: sigmoid'"):
        function("sigmoids").logits(IMAGES)
    for name, kind in (("sigmoids", "probability"), ("raw", "sigmoid")):
        classifier = function(name, outputs="sigmoid")
        assert classifier.confidence_kind == kind
        np.testing.assert_allclose(confidences(classifier, IMAGES), own.sigmoids(IMAGES), rtol=1e-4, atol=1e-29)


def test_scores_of_a_function_that_are_no_probabilities_are_refused(function):
    billable = function("raw", outputs="sigmoid", billable=True)
    with pytest.raises(ValueError, match="expected probabilities"):
        billable.logits(IMAGES)
    with pytest.raises(ValueError, match="between -1 and 2"):
        logarithms(np.array([[-1.0, 2.0]]))


@pytest.mark.parametrize(
    ("scores", "outputs", "expected"),
    [
        ([[0.2, 0.8]], "auto", "probability"),
        ([[0.2, 0.77]], "probabilities", "probability"),
        ([[0.9, 0.8]], "sigmoid", "probability"),
        ([[-3.0, 8.0]], "sigmoid", "sigmoid"),
        ([[-3.0, 8.0]], "auto", "softmax"),
        ([[0.9, 0.8]], "logits", "softmax"),
        ([[0.9, 0.8]], "probabilities", "does not give probabilities"),
        ([[0.9, 0.8]], "auto", "'outputs: sigmoid'"),
        ([[0.2, 0.77]], "auto", "a rounded softmax, 'outputs: probabilities'"),
        ([[np.log(4), np.log(4 / 3)], [0, np.inf]], "auto", "negative log-probabilities .* negate them"),
        ([[1 / 3, 3], [0, np.inf]], "auto", "odds, .* return output / .1 . output. from"),
        ([[-1e-7, 16.1], [2.3, 0.105]], "logits", "negative log-probabilities"),  # p was rounded to more than 1
        ([[0.7, 2.0], [0, np.inf]], "auto", "NaN or infinity"),
        ([[1, 1], [1, 1]], "auto", "its softmax is over the wrong axis"),
    ],
)
def test_kind_of_outputs_is_told_by_the_probes_or_asked_of_the_user(scores, outputs, expected):
    if " " not in expected:
        assert confidence_kind(np.array(scores), outputs, "it") == expected
        return
    with pytest.raises(InputError, match=expected):
        confidence_kind(np.array(scores), outputs, "it")


def test_confidence_kind_of_a_plugin_is_checked():
    class Wrong:
        input_shape, classes, digest, confidence_kind = SHAPE, 3, "d", "softmaxx"

        def logits(self, images):
            return np.zeros((len(images), 3), np.float32)

    with pytest.raises(PluginError, match="expected softmax, sigmoid, probability"):
        fooldeap.fool(Wrong(), 1, quiet=True)


def test_audit_of_a_sigmoid_model_finds_that_it_is_fooled(keras, tmp_path):
    model = network(keras, "sigmoid")
    model.save(tmp_path / "sigmoid.keras")
    folder = audit(tmp_path / "sigmoid.keras", budget=500, classes=[3], out=tmp_path / "audit", quiet=True)
    audited = json.loads((folder / "audit.json").read_text())
    (attacks,) = [each["attacks"] for each in audited["classes"]]
    assert any(attack["fooling"] for attack in attacks.values())
    for attack in attacks.values():
        (own,) = independent(model, FoolingImage.from_file(folder / attack["image"]).pixels[None])
        assert attack["confidence"] == pytest.approx(own[3], abs=1e-6)
