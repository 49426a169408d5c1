"""Get the logits, the scores before the softmax or sigmoid, from a Keras model that returns probabilities.

The model is not changed. The functions here are composed of parts of the model. They add no layer to its graph.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fooldeap.plugin import Array, InputError

from ._code import in_a_line
from ._scores import (
    FLOOR,
    Outputs,
    are_log_probabilities,
    are_probabilities,
    check_removed,
    check_rows,
    choices,
    class_count,
    confidence_kind,
)

TOLERANCE = 1e-5
Scores = Callable[[Any], Any]


def scores_of(model: Any, outputs: Outputs, probes: Any, where: str) -> tuple[Scores, str, bool]:
    """Return a function from the model's input to its logits (n, classes) float32, and their ``confidence_kind``.

    The third value says whether a softmax or sigmoid was removed.

    Parameters
    ----------
    model
        A Keras model with one input and one output (n, classes). Further axes of size 1 do not count.
    outputs
        The kind of output: ``"auto"`` looks for a softmax or sigmoid; for the others see `_scores.confidence_kind`.
    probes
        Inputs (n, ...) for the check.
    where
        The beginning of error messages.

    Raises
    ------
    InputError
        The output does not agree with ``outputs``, it is not finite, or "auto" finds no softmax or sigmoid. Or the
        model does not run.
    """
    raw = _as_table(_plain(model), model, where)
    output = _answers(raw, probes, where)
    found = _before_activation(model) if outputs in ("auto", "sigmoid") else None
    if found is None or (outputs == "sigmoid" and found[1] != "sigmoid"):
        kind = confidence_kind(output, outputs, where)
        if outputs == "auto" and not are_log_probabilities(output):
            raise InputError(f"{where} {_no_activation(output)}")
        return (_logarithms(raw) if kind == "probability" else _as_float32(raw)), kind, False
    scores, kind = _as_table(found[0], model, where), found[1]
    confidence_kind(output, "logits" if kind == "sigmoid" else "probabilities", where)
    _check(scores, raw, kind, probes, where)
    return _as_float32(scores), kind, True


def _plain(model: Any) -> Scores:
    """Return the model as a function of its input. A fixed batch size is respected."""
    size = model.inputs[0].shape[0]
    return _in_batches(lambda x: model(x, training=False), size) if size else lambda x: model(x, training=False)


def _in_batches(scores: Scores, size: int) -> Scores:
    """Return a function of any number of images that calls ``scores`` with ``size`` images at a time."""
    import keras

    def run(x: Any) -> Any:
        count = keras.ops.shape(x)[0]
        padding = keras.ops.zeros((-count % size, *x.shape[1:]), x.dtype)
        batches = keras.ops.reshape(keras.ops.concatenate([x, padding]), (-1, size, *x.shape[1:]))
        found = keras.ops.map(scores, batches)
        return keras.ops.reshape(found, (-1, *found.shape[2:]))[:count]

    return run


def _as_table(scores: Scores, model: Any, where: str) -> Scores:
    """Return a function with outputs (n, classes), without the other axes of size 1."""
    import keras

    shape = model.outputs[0].shape[1:]
    classes = class_count(shape, where)
    return scores if len(shape) == 1 else lambda x: keras.ops.reshape(scores(x), (-1, classes))


def _answers(raw: Scores, probes: Any, where: str) -> Array:
    import keras

    count, *shape = probes.shape
    try:
        output = np.asarray(keras.ops.convert_to_numpy(raw(probes)), np.float64)
    except Exception as error:
        raise InputError(
            f"{where} does not run on {count} inputs of {tuple(shape)} ({in_a_line(error)}); "
            "if it takes one image at a time, build it with keras.Input(batch_shape=(1, height, width, channels))"
        ) from None
    check_rows(len(output), count, tuple(shape), where)
    return output


def _as_float32(scores: Scores) -> Scores:
    import keras

    return lambda x: keras.ops.cast(scores(x), "float32")


def _logarithms(raw: Scores) -> Scores:
    import keras

    return lambda x: keras.ops.log(keras.ops.maximum(keras.ops.cast(raw(x), "float32"), FLOOR))


def _no_activation(output: Array) -> str:
    if are_probabilities(output):
        return (
            "gives probabilities but ends in no softmax that can be removed; "
            f"say 'outputs: probabilities', which takes their logarithms (of {FLOOR:g} at least)"
        )
    return f"ends in no softmax or sigmoid, and {choices(output)}"


def _check(scores: Scores, raw: Scores, kind: str, probes: Any, where: str) -> None:
    """Compare the confidences from the logits with the model's output, in its dtype. It may be half precision.

    Raises
    ------
    InputError
        They differ by more than `TOLERANCE`.
    """
    import keras

    own = raw(probes)
    activation = keras.ops.sigmoid if kind == "sigmoid" else keras.ops.softmax
    ours = activation(keras.ops.cast(scores(probes), own.dtype))
    gap = float(keras.ops.max(keras.ops.abs(keras.ops.cast(ours, "float32") - keras.ops.cast(own, "float32"))))
    check_removed(gap, kind, TOLERANCE, where)


def features_of(model: Any) -> Scores | None:
    """Return a function from the model's input to the input of its last dense layer, (n, d) float32.

    Return None if the model does not end in a dense layer.
    """
    found = _before_dense(model)
    return None if found is None else _as_float32(found)


# --- From the output back to the softmax or sigmoid -----------------------------------------------------------------


def _before_activation(model: Any) -> tuple[Scores, str] | None:
    """Return a function that computes the input of the softmax or sigmoid at the model's end, and which one it is.

    Return None if the model ends in neither.
    """
    operation, source = _last(model.outputs[0])
    tail = None if source is None else _without_activation(operation, source)
    if tail is None:
        return None
    scores, head = tail[0], _up_to(model, source)
    return lambda x: scores(head(x)), tail[1]


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


def _without_activation(operation: Any, source: Any) -> tuple[Scores, str] | None:
    """Return the operation without the softmax or sigmoid at its end, and which one it is, or None."""
    import keras

    if isinstance(operation, keras.Model):
        return _before_activation(operation) if getattr(operation, "outputs", None) else None
    if not type(operation).__module__.startswith("keras."):
        return None
    kind = type(operation).__name__
    if kind in ("Softmax", "Sigmoid"):  # the layer, and the operation behind keras.ops.softmax
        return (_identity, kind.lower()) if getattr(operation, "axis", -1) in (-1, 1) else None
    activations = {keras.activations.softmax: "softmax", keras.activations.sigmoid: "sigmoid"}
    own = getattr(operation, "activation", None)
    found = next((name for function, name in activations.items() if own is function), None)
    if found is None:
        return None
    if kind == "Activation":
        return _identity, found
    return (_linear(operation, source.shape), found) if kind in ("Dense", "EinsumDense") else None


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
        source is not None
        and type(operation).__name__ in ("Softmax", "Sigmoid", "Activation")
        and source is not model.inputs[0]
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
