"""The order of the axes in a model's input: channels first (nchw) or last (nhwc)."""

from collections.abc import Sequence
from typing import Any, Literal

from fooldeap.plugin import InputError

Layout = Literal["auto", "nchw", "nhwc"]
CHANNELS = (1, 3)


def layout_by_sizes(sides: Sequence[int | None], where: str) -> str:
    """Return the layout of an input with three axes: the channels are the only outer axis of size 1 or 3.

    Raises
    ------
    InputError
        Both outer axes have such a size, or none of them.
    """
    first, last = sides[0] in CHANNELS, sides[2] in CHANNELS
    if first == last:
        shown = tuple("?" if side is None else side for side in sides)
        raise InputError(
            f"{where} takes images of {shown}, in which the axis of the channels is unclear; say 'layout: nchw' if "
            "they come first, or 'layout: nhwc' if they come last"
        )
    return "nchw" if first else "nhwc"


def layouts_of_layers(model: Any) -> set[str]:
    """Return the layouts that Keras' layers declare for the image, as in ``Conv2D(..., data_format=...)``.

    Only layers that receive the image itself, perhaps rescaled, tell its layout.
    """
    import keras

    functional = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    found, images = set[str](), {id(tensor) for tensor in model.inputs}
    for operation in getattr(functional, "operations", ()):
        for node in operation._inbound_nodes:
            if not images & {id(tensor) for tensor in node.input_tensors}:
                continue
            kind = type(operation).__name__
            if isinstance(operation, keras.Model):
                found |= layouts_of_layers(operation) if getattr(operation, "inputs", None) else set()
            elif kind in _POINTWISE:
                images |= {id(tensor) for tensor in node.output_tensors}
            elif kind != "Flatten" and hasattr(operation, "data_format"):  # flattening fits both layouts
                found.add({"channels_first": "nchw"}.get(operation.data_format, "nhwc"))
    return found


# Layers and operations that change the pixels but not their places.
_POINTWISE = {
    *("Activation", "ReLU", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D", "Identity"),
    *("BatchNormalization", "Normalization", "Rescaling", "InputLayer", "Cast"),
    *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum"),
}
