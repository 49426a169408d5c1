"""Messages about ONNX models name the exact key, command or code that solves them, see `helpers.cures`."""

import importlib.metadata
import re
import sys

import numpy as np
import pytest
from helpers.cures import SHAPE, WEIGHTS, Made, agrees, check, fooled, message_of
from helpers.keras_models import softmax
from packaging.requirements import Requirement


def linear(path, *tail, sides=(3, 8, 6), out="s", dtype="FLOAT", batch="n", **arrays):
    """Write a linear model whose scores ``s`` are those of `WEIGHTS`."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [("Cast", "x", "c", {"to": kinds.FLOAT}), ("Flatten", "c", "f", {}), ("MatMul", "f w", "s", {}), *tail]
    types = {"label": (kinds.INT64, ["n"])}
    outputs = [helper.make_tensor_value_info(name, *types.get(name, (kinds.FLOAT, ["n", 4]))) for name in out.split()]
    graph = helper.make_graph(
        [helper.make_node(kind, fed.split(), [name], **how) for kind, fed, name, how in nodes],
        "it",
        [helper.make_tensor_value_info("x", getattr(kinds, dtype), [batch, *sides])],
        outputs,
        [onnx.numpy_helper.from_array(array, name) for name, array in {"w": WEIGHTS, **arrays}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return model


def own_of(path, settings=None, *, axes=(0, 3, 1, 2), scale=1.0, dtype="f", output=None):
    def forward(images):
        session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
        shape = [-1, *session.get_inputs()[0].shape[1:]]
        fed = (images.transpose(axes) * np.float32(scale)).astype(dtype)
        fed = fed if any(isinstance(side, str) for side in shape) else fed.reshape(shape)
        found = session.run([output or session.get_outputs()[0].name], {"x": fed})[0]
        return found if output else softmax(found)

    return Made({"name": "onnx", "model": str(path)}, forward, settings or {})


SOFTMAX, LABEL = ("Softmax", "s", "p", {"axis": 1}), ("ArgMax", "s", "label", {"axis": 1, "keepdims": 0})
LABELLED = ((SOFTMAX, LABEL), {"out": "label p"})
LAST = (0, 1, 2, 3)
ONNX = {
    "several outputs": (*LABELLED, {"output": "p"}, {}, "output: p"),
    "label": (*LABELLED, {"output": "p"}, {"output": "label"}, "output: p"),
    "unclear channels, first": ((), {"sides": (3, 16, 3)}, {}, {}, "layout: nchw"),
    "unclear channels, last": ((), {"sides": (3, 16, 3)}, {"axes": LAST}, {}, "layout: nhwc"),
    "flat colours": ((), {"sides": (144,)}, {"axes": LAST}, {"shape": list(SHAPE)}, "layout: nhwc"),
    "flat colours, channels first": ((), {"sides": (144,)}, {}, {"shape": list(SHAPE)}, "layout: nchw"),
    "flat": ((), {"sides": (144,)}, {}, {"layout": "nchw"}, "shape: [height, width, channels]"),
    "flat and square": ((), {"sides": (144,)}, {}, {}, "shape: [12, 12, 1]"),
    "any size": ((), {"sides": (3, "h", "w")}, {}, {}, "shape: [height, width, 3]"),
    "other shape": ((), {}, {}, {"shape": [6, 8, 3]}, "leave 'shape' out"),
    "uint8 pixels": ((), {"dtype": "UINT8"}, {"dtype": "u1"}, {"input_range": [0, 1]}, "leave 'input_range' out"),
    "missing device": ((), {}, {}, {"device": "cuda:77"}, "device: cpu"),
    "far too confident": (
        [("Mul", "s by", "y", {})],
        {"out": "y", "by": np.float32([99])},
        {"scale": 1 / 255},
        {},
        "input_range: [0, 1]",
    ),
}


@pytest.mark.parametrize("title", ONNX)
def test_key_solves_what_is_wrong_with_an_onnx_model(tmp_path, title):
    tail, how, own, settings, cure = ONNX[title]
    linear(tmp_path / "it.onnx", *tail, **how)
    check(own_of(tmp_path / "it.onnx", settings, **own), cure, height=8, width=6, channels=3)


def test_weights_in_another_folder_are_brought_into_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, onnx = linear(tmp_path / "FILE.onnx"), pytest.importorskip("onnx")
    (tmp_path / "sub").mkdir()
    onnx.save(model, "FILE.onnx", save_as_external_data=True, location="sub/weights", size_threshold=0)
    code = re.search(r"one file: (onnx\.save\(.*\))\W*$", message_of(own_of("FILE.onnx"), {}))[1]
    exec(code, {"onnx": onnx})
    agrees(own_of("NAME.onnx"), {})


def test_weights_that_are_missing_are_put_where_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, onnx = linear(tmp_path / "it.onnx"), pytest.importorskip("onnx")
    onnx.save(model, "it.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    (tmp_path / "w.data").rename("elsewhere")
    name = re.search(
        "keeps its weights in '(.*)', which is not beside it; put it there", message_of(own_of("it.onnx"), {})
    )[1]
    (tmp_path / "elsewhere").rename(name)
    agrees(own_of("it.onnx"), {})


def test_dynamic_quantisation_is_named_where_answers_depend_on_the_batch(tmp_path):
    path = tmp_path / "it.onnx"
    model = linear(
        path, ("DynamicQuantizeLinear", "s", "q", {}), ("DequantizeLinear", "q scale zero", "y", {}), out="y"
    )
    (node,) = (each for each in model.graph.node if each.op_type == "DynamicQuantizeLinear")
    node.output.extend(["scale", "zero"])
    path.write_bytes(model.SerializeToString())
    message = message_of(own_of(path), {})
    assert "alone; the model is quantised dynamically, so" in message
    assert "model.eval()" not in message
    assert "or use the model before quantisation; results" in message
    linear(path)
    agrees(own_of(path), {})


def test_softmax_over_the_images_of_batches_of_one_is_named(tmp_path):
    path = tmp_path / "it.onnx"
    linear(path, ("Softmax", "s", "p", {"axis": 0}), out="p", batch=1)
    message = message_of(own_of(path), {})
    assert "its softmax is over the wrong axis: correct it to" in message
    linear(path, SOFTMAX, out="p", batch=1)
    agrees(own_of(path, output="p"), {})


def test_missing_axis_of_the_batch_is_named(tmp_path):
    path = tmp_path / "it.onnx"
    tail = ("ReduceMax", "s", "y", {"axes": [0], "keepdims": 1})
    linear(path, tail, sides=(8, 3), batch=8, out="y", w=WEIGHTS[:24])
    assert "whether its input has an axis for the images of a batch" in message_of(own_of(path), {})


def test_algorithm_with_gradients_is_left_out(tmp_path):
    linear(tmp_path / "it.onnx")
    made = own_of(tmp_path / "it.onnx")
    assert "leave 'algorithm' out" in message_of(made._replace(arguments={"algorithm": "gradient_ascent"}), {})
    agrees(made, {})


def test_dataset_of_other_images_is_left_out(tmp_path):
    linear(tmp_path / "it.onnx")
    made = own_of(tmp_path / "it.onnx")
    assert "leave 'dataset' out" in message_of(made._replace(arguments={"dataset": "mnist"}), {})
    agrees(made, {})


def test_name_of_a_model_is_corrected_as_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Made({"name": "keras", "model": "mnist_cn"}, None)
    name = re.search("did you mean '(.*)'", message_of(made, {}))[1]
    assert fooled(made, {"model": name}).target == 1
    linear(tmp_path / "it.onnx")
    check(own_of(tmp_path / "it.onnx")._replace(model={"name": "keras", "model": "it.onnx"}), "name: onnx")


def test_missing_package_is_in_the_extra_of_the_message(tmp_path, monkeypatch):
    linear(tmp_path / "it.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    text = message_of(own_of(tmp_path / "it.onnx"), {})
    provides(text, "onnx", "onnxruntime")
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "it.pt").write_bytes(b"")
    text = message_of(Made({"name": "torch", "model": str(tmp_path / "it.pt"), "network": "it:it"}, None), {})
    provides(text, "torch", "torch")


def provides(text, extra, package):
    """Check that the command in a message installs a package."""
    assert f"pip install 'fooldeap[{extra}]'" in text
    assert f"package '{package}'" in text
    needed = map(Requirement, importlib.metadata.requires("fooldeap"))
    assert package in {each.name for each in needed if each.marker and each.marker.evaluate({"extra": extra})}
