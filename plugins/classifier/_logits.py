"""Get the logits, the scores before the softmax, from a Keras model that returns probabilities.

The model is not changed. The functions here are composed of parts of the model. They add no layer to its graph.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fooldeap.plugin import Array, InputError

from ._scores import FLOOR
from ._scores import are_probabilities as _are_probabilities

TOLERANCE = 1e-5
Scores = Callable[[Any], Any]


def scores_of(model: Any, outputs: str, probes: Any, where: str) -> Scores:
    """Return a function from the model's input to its logits (n, classes) float32. Check it on ``probes``.

    Parameters
    ----------
    model
        A Keras model with one input and one output (n, classes).
    outputs
        The kind of output: ``"logits"``, ``"probabilities"``, or ``"auto"`` to look for a softmax.
    probes
        Inputs (n, ...) for the check.
    where
        The beginning of error messages.

    Raises
    ------
    InputError
        The output does not agree with ``outputs``, it is not finite, or "auto" finds no softmax.
    """
    import keras

    raw = _plain(model)
    output = np.asarray(keras.ops.convert_to_numpy(raw(probes)), np.float64)
    if not np.isfinite(output).all():
        raise InputError(f"{where} gives NaN or infinity on random images; expected finite numbers")
    if outputs == "logits":
        return _given_logits(raw, output, where)
    if outputs == "probabilities":
        return _logarithms(raw, output, where)
    scores = _before_softmax(model)
    if scores is None:
        raise InputError(f"{where} {_no_softmax(output)}")
    _check(scores, raw, probes, where)
    return _as_float32(scores)


def _plain(model: Any) -> Scores:
    return lambda x: model(x, training=False)


def _as_float32(scores: Scores) -> Scores:
    import keras

    return lambda x: keras.ops.cast(scores(x), "float32")


def _given_logits(raw: Scores, output: Array, where: str) -> Scores:
    if _are_probabilities(output):
        raise InputError(f"{where} gives probabilities (they sum to 1), not 'outputs: logits'; use 'outputs: auto'")
    return _as_float32(raw)


def _logarithms(raw: Scores, output: Array, where: str) -> Scores:
    import keras

    if not _are_probabilities(output):
        raise InputError(
            f"{where} does not give probabilities: its output {_range(output)} and does not sum to 1; "
            "if these are the scores before softmax, say 'outputs: logits'"
        )
    return lambda x: keras.ops.log(keras.ops.maximum(keras.ops.cast(raw(x), "float32"), FLOOR))


def _no_softmax(output: Array) -> str:
    if _are_probabilities(output):
        return (
            "gives probabilities but ends in no softmax that can be cut off; "
            f"say 'outputs: probabilities', which takes their logarithms (of {FLOOR:g} at least)"
        )
    return (
        f"ends in no softmax, and its output {_range(output)} and does not sum to 1; "
        "if these are the scores before softmax, say 'outputs: logits'"
    )


def _range(output: Array) -> str:
    return f"lies between {output.min():.3g} and {output.max():.3g}"


def _check(scores: Scores, raw: Scores, probes: Any, where: str) -> None:
    """Compare softmax(logits) with the model's output, in the dtype of the output. It may be half precision.

    Raises
    ------
    InputError
        They differ by more than `TOLERANCE`.
    """
    import keras

    own = raw(probes)
    ours = keras.ops.softmax(keras.ops.cast(scores(probes), own.dtype))
    gap = float(keras.ops.max(keras.ops.abs(keras.ops.cast(ours, "float32") - keras.ops.cast(own, "float32"))))
    if not gap <= TOLERANCE:
        raise InputError(
            f"{where} gives other probabilities than softmax of its logits, by {gap:.2g}, expected at most "
            f"{TOLERANCE:g}; say 'outputs: probabilities'"
        )


def features_of(model: Any) -> Scores | None:
    """Return a function from the model's input to the input of its last dense layer, (n, d) float32.

    Return None if the model does not end in a dense layer.
    """
    found = _before_dense(model)
    return None if found is None else _as_float32(found)


# --- From the output back to the softmax --------------------------------------------------------------------


def _before_softmax(model: Any) -> Scores | None:
    """Return a function that computes the input of the softmax at the model's end, or None without such a softmax."""
    operation, source = _last(model.outputs[0])
    tail = None if source is None else _without_softmax(operation, source)
    if tail is None:
        return None
    head = _up_to(model, source)
    return lambda x: tail(head(x))


def _last(tensor: Any) -> tuple[Any, Any]:
    """Return the operation that computed a tensor, and its input. The input is None unless it is a single tensor."""
    operation, node, _ = tensor._keras_history
    inputs = operation._inbound_nodes[node].input_tensors
    return operation, inputs[0] if len(inputs) == 1 else None


def _up_to(model: Any, tensor: Any) -> Scores:
    """Return a function from the model's input to an inner tensor."""
    import keras

    if tensor is model.inputs[0]:
        return _identity
    return _plain(keras.Model(model.inputs[0], tensor))


def _without_softmax(operation: Any, source: Any) -> Scores | None:
    """Return the operation without the softmax at its end, or None if it does not end in a softmax."""
    import keras

    if isinstance(operation, keras.Model):
        return _before_softmax(operation) if getattr(operation, "outputs", None) else None
    if not type(operation).__module__.startswith("keras."):
        return None
    kind = type(operation).__name__
    if kind == "Softmax":  # the layer, and the operation behind keras.ops.softmax
        return _identity if operation.axis in (-1, 1) else None
    if getattr(operation, "activation", None) is not keras.activations.softmax:
        return None
    if kind == "Activation":
        return _identity
    return _linear(operation, source.shape) if kind in ("Dense", "EinsumDense") else None


def _identity(x: Any) -> Any:
    return x


def _linear(layer: Any, shape: Any) -> Scores:
    """Return a copy of a layer without its activation."""
    copy = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    copy.build(shape)
    copy.set_weights(layer.get_weights())
    return lambda x: copy(x)


def _before_dense(model: Any) -> Scores | None:
    """Return a function that computes the input of the dense layer at the model's end, or None without such a layer."""
    import keras

    operation, source = _last(model.outputs[0])
    while (
        source is not None and type(operation).__name__ in ("Softmax", "Activation") and source is not model.inputs[0]
    ):
        operation, source = _last(source)
    if source is None:
        return None
    if isinstance(operation, keras.Model):
        inner = _before_dense(operation) if getattr(operation, "outputs", None) else None
        head = _up_to(model, source)
        return None if inner is None else lambda x: inner(head(x))
    is_dense = type(operation).__module__.startswith("keras.") and type(operation).__name__ == "Dense"
    return _up_to(model, source) if is_dense else None
