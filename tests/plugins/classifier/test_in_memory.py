"""`fooldeap.fool` takes models in memory: Keras models, ONNX sessions and functions. Against their own forward pass."""

import functools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.experiments import KIT

import fooldeap
from fooldeap.errors import InputError

SHAPE = (8, 8, 1)
WEIGHTS = np.random.default_rng(0).normal(0, 0.02, (64, 4))
FEW = {"stop": {"confidence": 0.9, "evaluations": 3000}, "quiet": True}


def scores(images, factor=1.0):
    return factor * (images.reshape(len(images), -1) @ WEIGHTS)


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize("function", [scores, lambda images: scores(images), functools.partial(scores, factor=1.0)])
def test_function_is_fooled(function):
    result = fooldeap.fool(function, 2, classifier={"shape": SHAPE, "classes": 4}, **FEW)
    own = softmax(scores(result[2].image.pixels[None])[0])
    assert result[2].confidence == pytest.approx(own[2], abs=1e-6)
    assert result[2].reached


def test_function_without_shape_is_told_the_keys():
    with pytest.raises(InputError, match=r"argument: classifier.shape: is missing"):
        fooldeap.fool(scores, 2, **FEW)


def test_keras_model_takes_preprocessing(keras):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")])
    result = fooldeap.fool(model, 2, classifier={"input_range": [0, 1], "mean": [0.4], "std": [0.1]}, **FEW)
    fed = ((result[2].image.pixels / 255 - 0.4) / 0.1).astype(np.float32)
    assert result[2].confidence == pytest.approx(float(np.asarray(model(fed[None]))[0, 2]), abs=1e-5)
    assert result[2].reached


@pytest.mark.parametrize("source", ["file", "bytes"])
def test_onnx_session_is_fooled(tmp_path, source):
    runtime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])
    output = helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", 4])
    weights = numpy_helper.from_array((WEIGHTS * 255).astype(np.float32), "weights")
    graph = helper.make_graph(nodes, "linear", [image], [output], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content = model.SerializeToString()
    (tmp_path / "it.onnx").write_bytes(content)
    session = runtime.InferenceSession(str(tmp_path / "it.onnx") if source == "file" else content)
    result = fooldeap.fool(session, 2, classifier={"input_range": [0, 1]}, **FEW)
    fed = (result[2].image.pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    (own,) = session.run(None, {"image": fed})
    assert result[2].confidence == pytest.approx(float(own[0, 2]), abs=1e-5)
    assert result[2].reached


def test_other_objects_are_refused():
    with pytest.raises(InputError, match=r"got a builtins\.int, expected a model that a classifier plugin takes"):
        fooldeap.fool(7, 1, **FEW)
    forest = SimpleNamespace(predict_proba=lambda rows: rows)
    with pytest.raises(
        InputError, match=r"wrap model\.predict_proba in a function of images, see 'scikit-learn' in docs"
    ):
        fooldeap.fool(forest, 1, **FEW)
    with pytest.raises(InputError, match="got 'keras' for a model of 'callable'; leave 'name' out"):
        fooldeap.fool(scores, 1, classifier={"name": "keras"}, **FEW)


def test_classifier_object_needs_no_plugin():
    sys.path.insert(0, str(KIT))
    from tiny import Tiny

    assert fooldeap.fool(Tiny(), 1, **FEW)[1].evaluations > 0
