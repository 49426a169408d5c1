"""Models in other formats, written by hand from the weights of a Keras model."""

import numpy as np


def as_onnx(model, *, layout="nchw", batch=None, softmax=True):
    """Return ``mnist_cnn``, or a model of the same architecture, as an ONNX model, like frameworks that use NCHW."""
    from onnx import TensorProto, helper, numpy_helper

    (k1, b1), (k2, b2), (k3, b3) = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    # Keras flattens (h, w, c); a model with channels first flattens (c, h, w).
    k3 = k3.reshape(5, 5, 64, 10).transpose(2, 0, 1, 3).reshape(1600, 10)
    weights = {
        "scale": np.array(1 / 255, np.float32),
        "k1": k1.transpose(3, 2, 0, 1),
        "b1": b1,
        "k2": k2.transpose(3, 2, 0, 1),
        "b2": b2,
        "k3": np.ascontiguousarray(k3),
        "b3": b3,
    }
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    first = "x" if layout == "nchw" else "moved"
    nodes = [
        *([] if layout == "nchw" else [helper.make_node("Transpose", ["x"], ["moved"], perm=[0, 3, 1, 2])]),
        helper.make_node("Mul", [first, "scale"], ["s"]),
        helper.make_node("Conv", ["s", "k1", "b1"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], **pool),
        helper.make_node("Conv", ["p1", "k2", "b2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], **pool),
        helper.make_node("Flatten", ["p2"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "k3", "b3"], ["z"]),
        *([helper.make_node("Softmax", ["z"], ["p"], axis=-1)] if softmax else []),
    ]
    shape = [1, 28, 28] if layout == "nchw" else [28, 28, 1]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch or "n", *shape])],
        [helper.make_tensor_value_info("p" if softmax else "z", TensorProto.FLOAT, [batch or "n", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
