"""ONNX files as exporters write them: weights beside the file, several outputs, flat inputs. Against ONNX Runtime."""

import hashlib

import numpy as np
import pytest

from fooldeap.errors import InputError
from fooldeap_plugins.classifier.onnx import Onnx

runtime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
FLAT = IMAGES.reshape(20, 16).astype(np.float32)


def linear(path, *, sides=("n", 1, 4, 4), weights=0):
    """Write a linear model of 3 classes."""
    values = np.random.default_rng(weights).normal(0, 0.01, (16, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, sides)
    scores = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "linear", [image], [scores], [numpy_helper.from_array(values, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return model


def run(path, name, fed):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([name], {session.get_inputs()[0].name: fed})[0]


# --- Weights beside the file ----------------------------------------------------------------------------------------


@pytest.fixture
def split(tmp_path):
    """A model with its weights in a file beside it, as torch.onnx.export writes them."""
    model = linear(tmp_path / "net.onnx")
    onnx.save_model(
        model, tmp_path / "net.onnx", save_as_external_data=True, location="net.onnx.data", size_threshold=0
    )
    assert (tmp_path / "net.onnx.data").stat().st_size >= 16 * 3 * 4
    return tmp_path / "net.onnx"


def test_weights_beside_the_file_are_used_and_are_part_of_the_digest(split):
    classifier = Onnx(model=str(split))
    expected = run(split, "scores", IMAGES.transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_allclose(classifier.logits(IMAGES), expected, atol=1e-5)
    data = split.parent / "net.onnx.data"
    assert classifier.digest == hashlib.sha256(split.read_bytes() + data.read_bytes()).hexdigest()
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    assert Onnx(model=str(split)).digest != classifier.digest


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.unlink(), "keeps its weights in 'net.onnx.data', which is not beside it; put it there"),
        (lambda path: path.write_bytes(b"short"), "expects 192 bytes of weights at 0 in 'net.onnx.data', which has 5"),
    ],
)
def test_missing_or_short_weights_are_refused(split, change, expected):
    change(split.parent / "net.onnx.data")
    with pytest.raises(InputError, match=expected):
        Onnx(model=str(split)).logits(IMAGES)


@pytest.mark.parametrize("place", ["../net.onnx.data", "/etc/passwd", "sub/net.onnx.data", "", "..", "a\0b", "..\\w"])
def test_weights_in_another_folder_are_refused(split, place):
    model = onnx.load(split, load_external_data=False)
    (entry,) = (each for each in model.graph.initializer[0].external_data if each.key == "location")
    entry.value = place
    split.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="expected a file in its own folder; write it as one file: "):
        Onnx(model=str(split)).logits(IMAGES)


def test_weights_that_change_after_the_first_reading_are_refused(split):
    classifier = Onnx(model=str(split))
    assert classifier.digest
    (split.parent / "net.onnx.data").write_bytes(bytes(192))
    with pytest.raises(InputError, match="has changed since it was first read; start again"):
        classifier.logits(IMAGES)


# --- Several outputs, flat inputs -----------------------------------------------------------------------------------


def scikit(path, *, zipmap, transform="SOFTMAX"):
    """Write a model as skl2onnx converts a logistic regression: a label and probabilities, perhaps as mappings."""
    weights = np.random.default_rng(0).normal(0, 0.01, (3, 16))
    classes = list(range(3))
    linear_node = helper.make_node(
        "LinearClassifier",
        ["float_input"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=weights.reshape(-1).tolist(),
        intercepts=[0.1, 0.2, 0.3],
        classlabels_ints=classes,
        post_transform=transform,
    )
    nodes, name = [linear_node], "probabilities"
    if zipmap:
        nodes.append(
            helper.make_node("ZipMap", [name], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=classes)
        )
        name = "output_probability"
    image = helper.make_tensor_value_info("float_input", onnx.TensorProto.FLOAT, [None, 16])
    label = helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [None])
    table = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 3])
    if zipmap:
        mapping = helper.make_map_type_proto(onnx.TensorProto.INT64, helper.make_tensor_type_proto(1, []))
        table = helper.make_value_info(name, helper.make_sequence_type_proto(mapping))
    graph = helper.make_graph(nodes, "scikit", [image], [label, table])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return name


@pytest.mark.parametrize("zipmap", [True, False])
def test_output_that_is_named_probabilities_and_has_margins_is_refused(tmp_path, zipmap):
    path = tmp_path / "margins.onnx"
    name = scikit(path, zipmap=zipmap, transform="NONE")
    settings = {"model": str(path), "output": name, "shape": SHAPE}
    with pytest.raises(InputError, match=rf"{name}' has no probabilities: .* CalibratedClassifierCV\(model\); "):
        Onnx(**settings).logits(IMAGES)
    expected = run(path, name, FLAT)
    expected = [[row[each] for each in range(3)] for row in expected] if zipmap else expected
    np.testing.assert_allclose(Onnx(**settings, outputs="logits").logits(IMAGES), expected, atol=1e-4)


@pytest.mark.parametrize("zipmap", [True, False])
def test_scikit_models_are_used_with_output_and_shape(tmp_path, zipmap):
    path = tmp_path / "scikit.onnx"
    name = scikit(path, zipmap=zipmap)
    with pytest.raises(InputError, match=rf"has 2 outputs: label \(\?\), {name} \(.*\); .*'output: {name}'"):
        Onnx(model=str(path)).logits(IMAGES)
    with pytest.raises(InputError, match=rf"has no output 'x', expected one of: label, {name}"):
        Onnx(model=str(path), output="x").logits(IMAGES)
    with pytest.raises(InputError, match=r"takes 16 numbers; say the shape of its images: 'shape: \[height, width"):
        Onnx(model=str(path), output=name).logits(IMAGES)
    with pytest.raises(InputError, match=r"takes 16 numbers, got 'shape: \[4, 5, 1\]'"):
        Onnx(model=str(path), output=name, shape=(4, 5, 1)).logits(IMAGES)
    own = run(path, name, FLAT)
    own = np.array([[row[label] for label in range(3)] for row in own]) if zipmap else own
    classifier = Onnx(model=str(path), output=name, shape=SHAPE)
    assert classifier.confidence_kind == "probability"
    np.testing.assert_allclose(np.exp(classifier.logits(IMAGES)), own, rtol=1e-5)


def test_flat_colour_images_need_their_order(tmp_path):
    linear(tmp_path / "flat.onnx", sides=("n", 16))
    images = np.random.default_rng(1).integers(0, 256, (5, 2, 3, 3), dtype=np.uint8)
    weights = np.random.default_rng(0).normal(0, 0.01, (18, 3)).astype(np.float32)
    model = onnx.load(tmp_path / "flat.onnx")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 18
    onnx.save(model, tmp_path / "flat.onnx")
    with pytest.raises(InputError, match="say their order: 'layout: nhwc'"):
        Onnx(model=str(tmp_path / "flat.onnx"), shape=(2, 3, 3)).logits(images)
    for layout, arranged in (("nhwc", images), ("nchw", images.transpose(0, 3, 1, 2))):
        classifier = Onnx(model=str(tmp_path / "flat.onnx"), shape=(2, 3, 3), layout=layout)
        expected = run(tmp_path / "flat.onnx", "scores", arranged.reshape(5, 18).astype(np.float32))
        np.testing.assert_allclose(classifier.logits(images), expected, atol=1e-5)
