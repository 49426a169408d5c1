"""Analysis of an ONNX file before it is run: its input, and the inputs of its softmax and its last linear layer."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fooldeap.lazy_tensorflow import thread_limit
from fooldeap.plugin import Array, InputError

from ._layout import CHANNELS, layout_by_sizes
from ._outputs import Output, Shape, likely_output, name_of_output
from ._scores import WRAP, check_size, flat_shapes, leave_out, shape_key

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
LINEAR = ("Gemm", "MatMul")
PASSED = ("Identity", "Cast", "Add", "Dropout")  # operators that may come between a linear layer and the scores
DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")  # quantize by the whole batch
TENSOR = "onnx.TensorProto"
CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Input:
    """A model's input: shape of the images (h, w, c), layout of the axes, dtype, and batch size, or None if any."""

    shape: tuple[int, int, int]
    layout: str
    dtype: Any
    batch: int | None

    def arranged(self, pixels: Array) -> Array:
        """Return pixels (n, h, w, c) in the layout of the model."""
        if self.layout == "nhw":
            return pixels[..., 0]
        arranged = pixels.transpose(0, 3, 1, 2) if self.layout.endswith("nchw") else pixels
        return arranged.reshape(len(pixels), -1) if self.layout.startswith("flat") else arranged


class Graph:
    """A session of ONNX Runtime.

    ``output`` and ``features`` are the names of its outputs, ``own_output`` is the model's own, and ``title`` is the
    name of this output in the file. ``removed`` is the operator whose input ``output`` is, or an empty text if
    ``output`` is that of the model. ``quantized_dynamically`` says whether values are rounded to steps that depend on
    the whole batch.
    """

    def __init__(
        self,
        session: Any,
        output: str,
        features: str | None,
        removed: str,
        own_output: str,
        title: str,
        *,
        quantized_dynamically: bool,
    ) -> None:
        self._session, self.output, self.features, self.removed = session, output, features, removed
        self.own_output, self.title, self.quantized_dynamically = own_output, title, quantized_dynamically
        self._input = session.get_inputs()[0]

    @property
    def provider(self) -> str:
        """The execution provider that computes."""
        return str(self._session.get_providers()[0])

    def run(self, output: str, fed: Array) -> Array:
        """Return the output of a given name for an input."""
        (found,) = self._session.run([output], {self._input.name: fed})
        return np.asarray(found)

    def input(self, layout: str, shape: tuple[int, int, int] | None, where: str) -> Input:
        """Return the description of the input.

        Raises
        ------
        InputError
            The input does not take images, or its layout or shape is unknown.
        """
        batch, *sides = [size if isinstance(size, int) and size > 0 else None for size in self._input.shape or [None]]
        if self._input.type not in DTYPES:
            raise InputError(
                f"{where} takes {self._input.type}, expected one of {', '.join(DTYPES)}; export it with such an input, "
                f"or wrap it, see {WRAP}"
            )
        if len(sides) == 1:
            return self._flat_input(sides[0], layout, shape, batch, where)
        if len(sides) == 2:
            sides, layout = [*sides, 1], "nhw"
        elif len(sides) != 3:
            raise InputError(
                f"{where} takes inputs of shape {self._input.shape}, expected (n, channels, height, width); wrap it, "
                f"see {WRAP}"
            )
        else:
            layout = layout_by_sizes(sides, where) if layout == "auto" else layout
        if layout == "nchw":
            sides = [*sides[1:], sides[0]]
        found = _settled(sides, shape, where)
        check_size(found, batch, where)
        return Input(found, layout, DTYPES[self._input.type], batch)

    def _flat_input(
        self, count: int | None, layout: str, shape: tuple[int, int, int] | None, batch: int | None, where: str
    ) -> Input:
        """Return the description of an input that takes the numbers of an image in a row."""
        if shape is None or count not in (None, math.prod(shape)):
            got = "" if shape is None else f", got 'shape: {shape}'".replace("(", "[").replace(")", "]")
            raise InputError(
                f"{where} takes {count or 'any number of'} numbers{got}; say the shape of its images: "
                f"{flat_shapes(count)}"
            )
        if shape[2] > 1 and layout == "auto":
            raise InputError(
                f"{where} takes the numbers of a colour image in a row; say their order: 'layout: nhwc', or 'layout: "
                "nchw' if the channels come first"
            )
        check_size(shape, batch, where)
        return Input(shape, f"flat {layout}", DTYPES[self._input.type], batch)


def _settled(sides: list[int | None], shape: tuple[int, int, int] | None, where: str) -> tuple[int, int, int]:
    """Return the shape of images, (h, w, c). Sizes that the file leaves open are taken from the user's ``shape``."""
    if shape is None and None in sides:
        raise InputError(f"{where} takes images of any size; say which: {shape_key(sides)}")
    height, width, channels = (own or int(said) for own, said in zip(sides, shape or (0, 0, 0), strict=True))
    if shape is not None and shape != (height, width, channels):
        cure = leave_out(["shape"]) if None not in sides else f"say {shape_key(sides)}"
        raise InputError(f"{where} takes images of {(height, width, channels)}, got 'shape: {list(shape)}'; {cure}")
    if channels not in CHANNELS or min(height, width) < 1:
        raise InputError(
            f"{where} takes images of {(height, width, channels)}, expected 1 or 3 channels; wrap it, see {WRAP}"
        )
    return height, width, channels


def external_files(content: bytes) -> list[str]:
    """Return the names of the files in which an ONNX model keeps its weights, sorted. Empty if it cannot be parsed."""
    if b"location" not in content:  # the usual case, without parsing
        return []
    try:
        import onnx

        model = onnx.load_model_from_string(content)
    except Exception:  # reported when the model is loaded
        return []
    return sorted({_external(tensor).get("location", "") for tensor in model.graph.initializer if tensor.data_location})


def opened(
    content: bytes,
    where: str,
    removable: Collection[str],
    output: Output | None,
    beside: Callable[[str], bytes],
    device: str = "cpu",
) -> Graph:
    """Return a model that is ready to run.

    Parameters
    ----------
    content
        The content of the file.
    where
        The beginning of error messages.
    removable
        Operators, ``Softmax`` or ``Sigmoid``. If the model ends in one, the output is the input of this operator.
    output
        The name or the index of the output, or None if the model has only one.
    beside
        Reads a file in the folder of the model.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    InputError
        The file cannot be loaded, names other files, or does not have one input and one output.
    """
    onnx, runtime = _packages(where)
    try:
        model = onnx.load_model_from_string(content)
        model.DiscardUnknownFields()  # ONNX Runtime may use them
    except Exception:  # damage can raise any error of protobuf
        raise InputError(f"{where}: the file is damaged or no ONNX model; export it anew") from None
    _bring_in_weights(model, beside, where)
    _check_alone(model, where)
    model.ClearField("metadata_props")  # ONNX Runtime may read settings from it
    graph = model.graph
    given = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in given]
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise InputError(f"{where} has {len(inputs)} inputs ({names}), expected one image; wrap it, see {WRAP}")
    makers = {name: node for node in graph.node for name in node.output if name}
    title = _choose_output(graph, output, makers, where)
    own_output = graph.output[0].name
    scores, removed = _before_activation(own_output, makers, model, removable)
    before, _ = _before_activation(scores, makers, model, ("Softmax", "Sigmoid"))
    features = _into_linear(before, makers, given)
    for name in (scores, features):
        if name is not None and name not in {graph.output[0].name, inputs[0].name}:
            graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = _session(runtime, model.SerializeToString(), device, where)
    dynamic = any(node.op_type in DYNAMIC for node in graph.node)
    return Graph(session, scores, features, removed, own_output, title, quantized_dynamically=dynamic)


def _external(tensor: Any) -> dict[str, str]:
    return {each.key: each.value for each in tensor.external_data}


def _bring_in_weights(model: Any, beside: Callable[[str], bytes], where: str) -> None:
    """Read weights that are kept in files of the model's folder, as PyTorch exports them.

    Raises
    ------
    InputError
        A file is not in this folder, or does not contain the numbers.
    """
    import onnx

    contents: dict[str, bytes] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = _external(tensor)
        name = entries.get("location", "")
        if name not in contents:
            contents[name] = beside(name)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        size = math.prod(tensor.dims) * dtype.itemsize
        start, length = (
            int(entries[key]) if entries.get(key, "").isdecimal() else default
            for key, default in (("offset", 0), ("length", size))
        )
        if length != size or start + length > len(contents[name]):
            raise InputError(
                f"{where} expects {size:,} bytes of weights at {start:,} in {name[:60]!r}, which has "
                f"{len(contents[name]):,}; export the model anew, and keep both files together"
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = contents[name][start : start + length]


def _choose_output(graph: Any, output: Output | None, makers: dict[str, Any], where: str) -> str:
    """Keep only the output that the user chose. A sequence of mappings, as of scikit-learn, becomes a table.

    Return the name that the output has in the file.
    """
    shapes = {each.name: _shape_of_scores(each) for each in graph.output}
    softmaxes = [name for name in shapes if name in makers and makers[name].op_type == "Softmax"]
    name = name_of_output(output, shapes, {each.name: _described(each) for each in graph.output}, where, softmaxes)
    chosen = next(each for each in graph.output if each.name == name)
    others = [each for each in shapes if shapes[each] != ()]
    if shapes[name] == () and others:
        likely = likely_output(shapes, softmaxes)
        listed = f", one of {', '.join(others)}" if likely not in others else ""
        raise InputError(
            f"{where}: its output {name!r} is the label, not the scores of classes; say 'output: {likely}'{listed}"
        )
    node = makers.get(chosen.name)
    table = node.input[0] if node is not None and node.op_type == "ZipMap" and node.input else None
    if table is not None:
        graph.node.remove(node)
        del makers[chosen.name]
        chosen.name = table
        chosen.ClearField("type")
    elif node is not None and node.op_type == "QuantizeLinear":
        chosen.name = _dequantized(graph, node)
        chosen.ClearField("type")
    del graph.output[:]
    graph.output.append(chosen)
    return name


def _dequantized(graph: Any, node: Any) -> str:
    """Add the floats that the integers of a quantized output stand for. Return their name."""
    import onnx

    name = f"{node.output[0]}_dequantized"
    inputs = [node.output[0], *node.input[1:]]
    graph.node.append(onnx.helper.make_node("DequantizeLinear", inputs, [name], domain=node.domain))
    graph.node[-1].attribute.extend(each for each in node.attribute if each.name in ("axis", "block_size"))
    return name


def _shape_of_scores(value: Any) -> Shape:
    """Return the shape of an output, or None if it is unknown. Text and labels are no scores: ()."""
    import onnx

    tensor = value.type.tensor_type
    if tensor.elem_type in (onnx.TensorProto.STRING, onnx.TensorProto.INT32, onnx.TensorProto.INT64):
        return ()
    return [side.dim_value or None for side in tensor.shape.dim] if tensor.HasField("shape") else None


def _described(value: Any) -> str:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"({(kind or 'unknown').removesuffix('_type')})"
    sides = [side.dim_value or side.dim_param or "?" for side in value.type.tensor_type.shape.dim]
    return f"({', '.join(map(str, sides))})"


def _packages(where: str) -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"{where} needs the package {error.name!r}; install the extra: pip install 'fooldeap[onnx]'"
        ) from None
    return onnx, onnxruntime


def _check_alone(model: Any, where: str) -> None:
    """Refuse tensors in other files, except initializers. The model's digest does not cover these files."""
    for message in _messages(model):
        if message.DESCRIPTOR.full_name == TENSOR and (message.data_location or message.external_data):
            raise InputError(
                f"{where} keeps its weights in other files, expected a model in one; save it anew as one file"
            )


def _messages(message: Any) -> Iterator[Any]:
    """Yield a message and all messages inside it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from _messages(each)


def _providers(runtime: Any, device: str, where: str) -> list[Any]:
    """Return the execution providers for a device."""
    kind, _, number = device.partition(":")
    available = runtime.get_available_providers()
    if kind == "cuda" and CUDA not in available:
        raise InputError(
            f"{where}: got 'device: {device}', but ONNX Runtime has only {', '.join(available)}; install "
            "onnxruntime-gpu, or say 'device: cpu'"
        )
    if kind == "cpu" or CUDA not in available:
        return ["CPUExecutionProvider"]
    return [(CUDA, {"device_id": int(number or 0)}), "CPUExecutionProvider"]


def _session(runtime: Any, content: bytes, device: str, where: str) -> Any:
    providers = _providers(runtime, device, where)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = thread_limit() or 0
    # Threads that spin while they wait would occupy cores that the other computations need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The checks are for the ONNX format. The same bytes could also be valid in ONNX Runtime's own format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return runtime.InferenceSession(content, options, providers=providers)
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise InputError(
            f"{where} does not load: {said}; see whether it is a model that ONNX Runtime can run"
        ) from None


def _before_activation(name: str, makers: dict[str, Any], model: Any, removable: Collection[str]) -> tuple[str, str]:
    """Return the input of the removable operator that computes ``name``, and this operator.

    Without such an operator, return ``name`` and an empty text. A softmax must be over the classes.
    """
    node = makers.get(name)
    for _ in makers:  # a limit, because the graph may have a cycle
        if node is not None and node.op_type == "Identity":
            node = makers.get(_first(node))
    if node is None or node.op_type not in removable:
        return name, ""
    if node.op_type == "Sigmoid":
        return _first(node) or name, node.op_type
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)
    axis = next((each.i for each in node.attribute if each.name == "axis"), -1 if version >= 13 else 1)
    found = _first(node) if axis in (-1, 1) else ""
    return (found, node.op_type) if found else (name, "")


def _into_linear(name: str, makers: dict[str, Any], given: set[str]) -> str | None:
    """Return the input of the linear layer that computes ``name``, or None without such a layer."""
    node = makers.get(name)
    for _ in makers:  # a limit, because the graph may have a cycle
        if node is not None and node.op_type in PASSED:
            sources = [each for each in node.input if each not in given and _made(each, makers)]
            node = makers.get(sources[0]) if len(sources) == 1 else None
    return _first(node) or None if node is not None and node.op_type in LINEAR else None


def _first(node: Any) -> str:
    """Return the name of a node's first input, or an empty text without inputs."""
    return str(node.input[0]) if node.input else ""


def _made(name: str, makers: dict[str, Any]) -> bool:
    """Return whether a value is computed by a node and is not a constant."""
    return name in makers and makers[name].op_type != "Constant"
