"""ONNX models with unusual inputs or outputs: the confidence is the framework's own, or one line says a cure.

Each case builds its model and returns the model, its forward pass on uint8 images (n, h, w, c), and the settings.
"""

import numpy as np
import pytest
from helpers.keras_models import softmax
from helpers.unusual_models import SHAPE, WEIGHTS, agrees, refused

from fooldeap_plugins.classifier.onnx import Onnx


def exported(path, *tail, dtype="FLOAT", out="y", out_type="FLOAT", sides=(3, 8, 6), flat=None, batch="n", **arrays):
    """Write a linear model: ``x`` -> ``s`` (scores) -> the nodes in ``tail``, each (operator, inputs, output, ...)."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, kinds = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    first = [("Flatten", "x", "f", {})] if flat is None else [("Reshape", "x flat", "f", {})]
    if dtype == "UINT8":
        first = [("DequantizeLinear", "x scale zero", "d", {}), ("Flatten", "d", "f", {})]
        arrays |= {"scale": np.float32(1), "zero": np.uint8(0)}
    arrays |= {"w": WEIGHTS.astype(np.float16 if dtype == "FLOAT16" else np.float32)}
    arrays |= {} if flat is None else {"flat": np.array(flat)}
    steps = [*first, ("MatMul", "f w", "s", {}), *tail]
    nodes = [helper.make_node(kind, fed.split(), [name], **how) for kind, fed, name, how in steps]
    names = out.split()
    types = {"label": (kinds.INT64, ["n"])}
    outputs = [
        helper.make_tensor_value_info(name, *types.get(name, (getattr(kinds, out_type), None))) for name in names
    ]
    image = helper.make_tensor_value_info("x", getattr(kinds, dtype), [batch, *sides])
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "it", [image], outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return str(path)


def session_of(path, dtype=np.float32):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path)
    return lambda images, output: session.run([output], {"x": images.transpose(0, 3, 1, 2).astype(dtype)})[0]


SOFTMAX = ("Softmax", "s", "p", {"axis": -1})
OPEN = {"sides": (3, "h", "w")}
SETTLED = {"shape": SHAPE}


@pytest.mark.parametrize(
    ("tail", "how", "settings", "expected"),
    [
        pytest.param(
            [("Reshape", "s to", "y", {})],
            {"to": np.array([0, 4, 1, 1])},
            {},
            lambda run, x: softmax(run(x, "y")[:, :, 0, 0]),
            id="n-c-1-1",
        ),
        pytest.param(
            [("Reshape", "s to", "r", {}), ("Softmax", "r", "y", {"axis": -1})],
            {"to": np.array([0, 1, 1, 4])},
            {},
            lambda run, x: run(x, "y")[:, 0, 0],
            id="softmax-n-1-1-c",
        ),
        pytest.param(
            [SOFTMAX, ("ArgMax", "s", "label", {"axis": 1, "keepdims": 0})],
            {"out": "label p"},
            {"output": "p"},
            lambda run, x: run(x, "p"),
            id="label-and-probabilities",
        ),
        pytest.param(
            [SOFTMAX, ("ArgMax", "s", "label", {"axis": 1, "keepdims": 0})],
            {"out": "label p"},
            {"output": 1},
            lambda run, x: run(x, "p"),
            id="index-of-probabilities",
        ),
        pytest.param([("Sigmoid", "s", "y", {})], {}, {}, lambda run, x: run(x, "y"), id="multi-label"),
        pytest.param(
            [],
            {"out": "s", "flat": [1, 144]},
            {},
            lambda run, x: softmax(np.concatenate([run(each[None], "s") for each in x])),
            id="undeclared-batch-of-1",
        ),
        pytest.param(
            [], {"out": "s", "flat": [-1, 144], **OPEN}, SETTLED, lambda run, x: softmax(run(x, "s")), id="open-sizes"
        ),
    ],
)
def test_onnx_model_gives_its_own_confidence(tmp_path, tail, how, settings, expected):
    path = exported(tmp_path / "it.onnx", *tail, **how)
    run = session_of(path)
    agrees(Onnx(model=path, **settings), lambda images: expected(run, images))


def test_half_precision_onnx_model_gives_its_own_confidence(tmp_path):
    path = exported(tmp_path / "it.onnx", SOFTMAX, dtype="FLOAT16", out="p", out_type="FLOAT16")
    run = session_of(path, np.float16)
    agrees(Onnx(model=path, outputs="probabilities"), lambda images: run(images, "p"))
    agrees(Onnx(model=path), lambda images: run(images, "p"), atol=1e-3)


def test_quantized_output_stands_for_floats(tmp_path):
    """The integers 0..255 of a quantized softmax are not logits."""
    quantize = ("QuantizeLinear", "p step zero", "y", {})
    path = exported(tmp_path / "it.onnx", SOFTMAX, quantize, dtype="UINT8", out_type="UINT8", step=np.float32(1 / 256))
    run = session_of(path, np.uint8)
    made = Onnx(model=path, outputs="probabilities")
    agrees(made, lambda images: run(images, "y") / 256.0)


def test_onnx_outputs_that_are_no_scores_are_refused(tmp_path):
    label = ("ArgMax", "s", "label", {"axis": 1, "keepdims": 0})
    path = exported(tmp_path / "it.onnx", SOFTMAX, label, out="label p")
    refused(Onnx(model=path), "'output: p'")
    refused(Onnx(model=exported(tmp_path / "first.onnx", SOFTMAX, label, out="p label")), "'output: p'")
    refused(
        Onnx(model=path, output="label"), "its output 'label' is the label, not the scores of classes; say 'output: p'"
    )
    one = exported(tmp_path / "one.onnx", ("ReduceMax", "s", "y", {"axes": [1]}))
    refused(Onnx(model=one), "make two of it, 1 - p and p")


def test_preprocessing_of_uint8_pixels_is_refused_with_a_way_out(tmp_path):
    path = exported(tmp_path / "it.onnx", dtype="UINT8", out="s")
    refused(Onnx(model=path, channels="bgr"), "if it takes BGR, call it from a function with images[..., ::-1]")


def test_images_of_another_size_do_not_mix_rows(tmp_path):
    path = exported(tmp_path / "it.onnx", out="s", flat=[-1, 144], **OPEN)
    refused(Onnx(model=path, shape=(16, 6, 3)), "see whether 'shape' is that of its images")


def test_a_softmax_over_another_axis_is_not_removed_silently(tmp_path):
    tail = [("Reshape", "s to", "r", {}), ("Softmax", "r", "y", {"axis": 1})]
    path = exported(tmp_path / "it.onnx", *tail, to=np.array([0, 1, 1, 4]))
    refused(Onnx(model=path), "than softmax of its logits")


def test_softmax_over_the_images_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    path = exported(tmp_path / "it.onnx", ("Softmax", "s", "p", {"axis": 0}), out="p")
    refused(Onnx(model=path), "its softmax is over the wrong axis")
