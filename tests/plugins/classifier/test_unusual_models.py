"""Models with unusual inputs or outputs: the confidence is that of the model's own framework, or one line says a cure.

Each case builds its model and returns the model, its forward pass on uint8 images (n, h, w, c), and the settings.
"""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.experiments import ROOT
from helpers.keras_models import images_like, softmax

import fooldeap
from fooldeap.configuration import config
from fooldeap.contracts import log_confidences
from fooldeap.errors import InputError
from fooldeap_plugins.classifier._outputs import name_of_output
from fooldeap_plugins.classifier.callable import FunctionClassifier
from fooldeap_plugins.classifier.keras import Keras
from fooldeap_plugins.classifier.onnx import Onnx
from fooldeap_plugins.classifier.torch import Torch

SHAPE = (8, 6, 3)
WEIGHTS = np.random.default_rng(0).normal(0, 0.01, (144, 4)).astype(np.float32)


def agrees(classifier, forward, atol=1e-6):
    images = images_like(classifier, 5)
    confidences = np.exp(log_confidences(classifier.logits(images), classifier.confidence_kind))
    np.testing.assert_allclose(confidences, np.asarray(forward(images), np.float64), atol=atol)


def refused(classifier, cure):
    with pytest.raises(InputError) as error:
        classifier.logits(np.zeros((1, *SHAPE), np.uint8))
    assert cure in str(error.value)
    assert "\n" not in str(error.value)


# --- Keras ----------------------------------------------------------------------------------------------------------


def head(keras, image, activation="softmax", classes=4):
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.layers.Dense(classes, activation=activation)(pixels)


def mapping_of_outputs(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, {"scores": head(keras, image), "other": head(keras, image, None, 2)})
    return model, lambda images: model(images.astype("f"))["scores"], {"output": "scores"}


def list_of_outputs(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, [head(keras, image, None, 2), head(keras, image)])
    return model, lambda images: model(images.astype("f"))[1], {"output": model.output_names[1]}


def mapping_of_one_output(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, {"scores": head(keras, image)})
    return model, lambda images: model(images.astype("f"))["scores"], {}


def mapping_of_one_input(keras):
    image = keras.Input(SHAPE, name="image")
    model = keras.Model({"image": image}, head(keras, image))
    return model, lambda images: model({"image": images.astype("f")}), {}


def one_image_at_a_time(keras):
    image = keras.Input(batch_shape=(1, *SHAPE))
    flat = keras.ops.reshape(image / 255, (1, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    return model, lambda images: np.concatenate([model(each[None].astype("f")) for each in images]), {}


def fixed_batch(keras):
    image = keras.Input(batch_shape=(3, *SHAPE))
    flat = keras.ops.reshape(image / 255, (3, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    return model, lambda images: np.concatenate([model(np.stack([each] * 3).astype("f"))[:1] for each in images]), {}


def axes_of_size_1(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Softmax()(keras.layers.Conv2D(4, (8, 6))(image / 255)))
    return model, lambda images: np.asarray(model(images.astype("f")))[:, 0, 0], {}


def multi_label(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(keras, image, "sigmoid", 5))
    return model, lambda images: model(images.astype("f")), {}


def resizing(keras):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, head(keras, keras.layers.Resizing(8, 6)(image)))
    return model, lambda images: model(images.astype("f")), {"shape": (13, 7, 3)}


def training_layers(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input(SHAPE), k.Flatten(), k.BatchNormalization(), k.Dropout(0.5), k.Dense(4)])
    return model, lambda images: softmax(np.asarray(model(images.astype("f"), training=False))), {"outputs": "logits"}


def half_precision(keras):
    image = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(image / 255)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax", dtype="float16")(flat))
    return model, lambda images: model(images.astype("f")), {"outputs": "probabilities"}


KERAS = [
    mapping_of_outputs,
    list_of_outputs,
    mapping_of_one_output,
    mapping_of_one_input,
    one_image_at_a_time,
    fixed_batch,
    axes_of_size_1,
    multi_label,
    resizing,
    training_layers,
    half_precision,
]


# --- Layouts: where the channels are ---------------------------------------------------------------------------------


def dense(keras, sides):
    image = keras.Input(sides)
    return keras.Model(image, head(keras, image))


def convolution(keras, sides, first=False):
    image = keras.Input(sides)
    pixels = keras.layers.BatchNormalization()(keras.layers.Rescaling(1 / 255)(image))
    maps = keras.layers.Conv2D(2, 2, data_format="channels_first" if first else "channels_last")(pixels)
    return keras.Model(image, keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(maps)))


def nested(keras, sides, first=False):
    return keras.Sequential([keras.Input(sides), keras.Sequential([convolution(keras, sides, first)])])


def permuted(keras, sides):
    image = keras.Input(sides)
    return keras.Model(image, convolution(keras, sides)(keras.layers.Permute((3, 2, 1))(image)))


FIRST = {"first": True}


@pytest.mark.parametrize(
    ("build", "sides", "how", "layout"),
    [
        (dense, (3, 8, 6), {}, "nchw"),
        (dense, (1, 8, 6), {}, "nchw"),
        (dense, (8, 6, 3), {}, "nhwc"),
        (dense, (8, 1, 3), {}, "nhwc"),
        (convolution, (3, 8, 3), {}, "nhwc"),
        (convolution, (3, 8, 3), FIRST, "nchw"),
        (nested, (3, 8, 3), {}, "nhwc"),
        (nested, (3, 8, 3), FIRST, "nchw"),
        (dense, (3, 8, 3), {}, None),
        (dense, (1, 8, 3), {}, None),
        (permuted, (3, 8, 3), {}, None),
    ],
)
def test_channels_are_where_layers_sizes_or_the_user_say(keras, build, sides, how, layout):
    model = build(keras, sides, **how)
    own = {"nhwc": lambda x: model(x.astype("f")), "nchw": lambda x: model(x.transpose(0, 3, 1, 2).astype("f"))}
    if layout is None:
        with pytest.raises(InputError) as error:
            Keras.from_object(model).logits(np.zeros((1, *SHAPE), np.uint8))
        assert re.findall("'layout: (.*?)'", str(error.value)) == ["nchw", "nhwc"]
        for each, forward in own.items():
            agrees(Keras.from_object(model, layout=each), forward)
    else:
        classifier = Keras.from_object(model)
        agrees(classifier, own[layout])
        assert classifier.gradient(images_like(classifier, 2), np.full(2, 1)).any()


def test_six_channels_are_no_channels_that_come_first(keras):
    refused(Keras.from_object(convolution(keras, (3, 8, 6))), "expected (height, width, channels), channels 1 or 3")


def test_flat_input_in_which_the_channels_come_first(keras):
    model = keras.Sequential([keras.Input((144,)), keras.layers.Dense(4, "softmax")])
    for layout, axes in (("nhwc", (0, 1, 2, 3)), ("nchw", (0, 3, 1, 2))):
        made = Keras.from_object(model, shape=SHAPE, layout=layout, input_range=(0, 1))
        agrees(made, lambda x, axes=axes: model(x.transpose(axes).reshape(len(x), -1).astype("f") / 255))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("build", KERAS)
def test_keras_model_gives_its_own_confidence(keras, build):
    model, forward, settings = build(keras)
    classifier = Keras.from_object(model, **settings)
    agrees(classifier, forward)
    assert classifier.gradient(images_like(classifier, 2), np.full(2, 1)).any()


def test_wrong_names_of_outputs_are_refused(keras):
    model, _, _ = mapping_of_outputs(keras)
    refused(Keras.from_object(model), "say which has the scores of the classes: 'output: scores'")
    refused(Keras.from_object(model, output="score"), "expected one of: scores, other")
    refused(Keras.from_object(model, output=1), "has no output '1', expected one of: scores, other")


def test_output_is_chosen_by_its_index(keras):
    model, forward, _ = list_of_outputs(keras)
    agrees(Keras.from_object(model, output=1), forward)
    refused(Keras.from_object(model, output=2), "or an index from 0 to 1")
    refused(Keras.from_object(model), f"'output: {model.output_names[1]}'")  # it ends in a softmax


@pytest.mark.parametrize(("output", "expected"), [(0, "7"), (7, "7"), ("7", "7"), (1, "p"), ("p", "p")])
def test_number_is_the_index_or_the_name_of_an_output(output, expected):
    assert name_of_output(output, {"7": None, "p": None}, {}, "it") == expected


def test_number_that_is_the_index_of_one_output_and_the_name_of_another_is_refused():
    names = {"1": None, "p": None}
    with pytest.raises(InputError, match=r"'output: 1', the name of an output and the index of 'p'; .*'output: p'"):
        name_of_output(1, names, {}, "it")
    assert name_of_output("1", names, {}, "it") == "1"


@pytest.mark.parametrize("name", ["keras", "onnx", "torch"])
def test_index_of_an_output_is_a_key_of_the_file_and_an_override(name):
    file = {"classifier": {"name": name, "model": "it", "output": 1}}
    assert config.load(file).classifier.values["output"] == 1
    assert config.load(file, ["classifier.output=2"]).classifier.values["output"] == 2
    with pytest.raises(InputError, match="output: got -1, expected text, an integer >= 0 or null"):
        config.load(file, ["classifier.output=-1"])


def test_a_reshape_that_mixes_images_is_refused(keras):
    image = keras.Input((None, None, 3))
    flat = keras.ops.reshape(image / 255, (-1, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    agrees(Keras.from_object(model, shape=SHAPE), lambda images: model(images.astype("f")))
    refused(Keras.from_object(model, shape=(16, 6, 3)), "see whether 'shape' is that of its images")


def test_softmax_over_the_images_is_refused(keras, tmp_path):
    """`outputs: sigmoid`, which the range of its output suggests, would give wrong confidences."""
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Softmax(axis=0)(head(keras, image, None)))
    for outputs in ("auto", "sigmoid", "logits", "probabilities"):
        refused(Keras.from_object(model, outputs=outputs), "correct it to 'dim=1' (PyTorch) or 'axis=-1'")
    right = keras.Model(image, keras.layers.Softmax(axis=-1)(model.layers[-2].output))
    agrees(Keras.from_object(right), lambda images: right(images.astype("f")))
    pytest.importorskip("onnxruntime")
    path = exported(tmp_path / "it.onnx", ("Softmax", "s", "p", {"axis": 0}), out="p")
    refused(Onnx(model=path), "its softmax is over the wrong axis")


def test_logarithms_of_probabilities_are_logits(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(keras, image, "log_softmax"))
    agrees(Keras.from_object(model), lambda images: np.exp(model(images.astype("f"))))


def test_labels_are_no_probabilities(keras):
    image = keras.Input(SHAPE)
    label = keras.ops.one_hot(keras.ops.argmax(head(keras, image), axis=1), 4)
    refused(Keras.from_object(keras.Model(image, label)), "gives only 0 and 1, as labels do")


def test_a_keras_model_that_does_not_run_is_refused(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(keras.ops.reshape(image, (1, 144))))
    refused(Keras.from_object(model), "keras.Input(batch_shape=(1, height, width, channels))")


# --- The table of the documentation ---------------------------------------------------------------------------------


def alpha(keras):
    return [keras.Input((8, 6, 4))], lambda inputs: head(keras, inputs[0])


def second_input(keras):
    flat = keras.layers.Flatten()
    joined = lambda inputs: keras.layers.Concatenate()([flat(inputs[0]) / 255, inputs[1]])  # noqa: E731
    return [keras.Input(SHAPE), keras.Input((2,))], lambda inputs: keras.layers.Dense(4, "softmax")(joined(inputs))


def one_probability(keras):
    return [keras.Input(SHAPE)], lambda inputs: head(keras, inputs[0], "sigmoid", 1)


WRAPPED = {
    "takes RGBA": (alpha, lambda x: np.concatenate([x, np.full((len(x), 8, 6, 1), 255)], axis=3)),
    "has a second input of two numbers": (second_input, lambda x: [x, np.zeros((len(x), 2))]),
    "returns one probability": (one_probability, lambda x: x),
}


def rows_of_the_table():
    text = (
        (ROOT / "docs/classifiers.md").read_text().partition("## Other inputs and outputs\n")[2].partition("\n## ")[0]
    )
    return re.findall(r"^\| ([^`|]+) \| `(.+)` \| `(.+)` \|$", text, re.MULTILINE)


def test_the_table_has_all_conversions():
    assert [title for title, _, _ in rows_of_the_table()] == list(WRAPPED)


@pytest.mark.parametrize(("title", "around", "function"), rows_of_the_table())
def test_the_documented_conversion_gives_the_confidence_of_the_model(keras, tmp_path, title, around, function):
    build, converted = WRAPPED[title]
    inputs, output = build(keras)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], output(inputs))
    refused(Keras.from_object(model), "see 'Other inputs and outputs' in docs/classifiers.md")
    single = title == "returns one probability"
    outputs = "probabilities" if single or len(inputs) > 1 else "auto"

    def forward(images):
        fed = converted(images.astype(np.float32))
        found = np.asarray(model([np.asarray(each, "f") for each in fed] if isinstance(fed, list) else fed.astype("f")))
        return np.stack([1 - found[:, 0], found[:, 0]], axis=1) if single else found

    outer = eval(around, {"keras": keras, "image": keras.Input(SHAPE), "model": model})
    outer.save(tmp_path / "it.keras")
    agrees(Keras(model=str(tmp_path / "it.keras"), outputs=outputs), forward)

    called = lambda x: np.asarray(model([each.astype("f") for each in x] if isinstance(x, list) else x.astype("f")))  # noqa: E731
    names = {"np": np, "model": called}
    scores = lambda images: eval(function, {**names, "images": images})  # noqa: E731
    agrees(FunctionClassifier.from_object(scores, shape=SHAPE, classes=2 if single else 4), forward)


# --- ONNX -----------------------------------------------------------------------------------------------------------


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


# --- PyTorch --------------------------------------------------------------------------------------------------------


@pytest.fixture
def nn():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(1)
    return torch.nn


def returning(nn, change, body=None):
    """Return a module whose scores are changed, and its forward pass without the change."""

    class Changed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body or nn.Sequential(nn.Flatten(), nn.Linear(144, 4))

        def forward(self, x):
            return change(self.body(x))

    return Changed().eval()


def scores_of(module, images):
    import torch

    with torch.no_grad():
        return module(torch.tensor(images.transpose(0, 3, 1, 2).copy()).float() / 255).numpy()


@pytest.mark.parametrize(
    ("change", "output"),
    [
        (lambda scores: scores[:, :, None, None], None),
        (lambda scores: scores[:, None, None, :], None),
        (lambda scores: (scores[:, :2], scores), "1"),
        (lambda scores: {"scores": scores, "other": scores[:, :2]}, "scores"),
        (lambda scores: SimpleNamespace(logits=scores, loss=None), None),
    ],
)
def test_torch_module_gives_its_own_confidence(nn, change, output):
    module = returning(nn, change)
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1), output=output)
    agrees(made, lambda images: softmax(scores_of(module.body, images)))
    assert made.gradient(images_like(made, 2), np.full(2, 1)).any()


def test_module_in_training_mode_is_evaluated_in_inference_mode(nn):
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(96, 4)]
    module = nn.Sequential(*layers).train()
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    made.logits(np.zeros((1, *SHAPE), np.uint8))
    assert module.training
    agrees(made, lambda images: softmax(scores_of(module.eval(), images)))


def test_module_that_takes_one_image_at_a_time(nn):
    body = nn.Linear(144, 4)
    module = returning(nn, lambda scores: scores, nn.Sequential(nn.Unflatten(0, (1, -1)), nn.Flatten(), body))
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    agrees(made, lambda images: softmax(np.concatenate([scores_of(module, each[None]) for each in images])))


@pytest.mark.parametrize("precision", ["half", "double"])
def test_module_gets_pixels_of_its_own_precision(nn, precision):
    import torch

    module = getattr(returning(nn, lambda scores: scores), precision)()
    dtype = getattr(torch, precision)

    def forward(images):
        pixels = (torch.tensor(images.transpose(0, 3, 1, 2).copy()).float() / 255).to(dtype)
        with torch.no_grad():
            return softmax(module(pixels).double().numpy())

    agrees(Torch.from_object(module, shape=SHAPE, input_range=(0, 1)), forward, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "output", "cure"),
    [
        (
            lambda scores: (scores, scores[:, :2]),
            None,
            "0 (32, 4), 1 (32, 2); say which has the scores",
        ),
        (lambda scores: (scores, scores[:, :2]), "7", "'output: NAME'"),
        (lambda scores: (scores, scores[:, :2]), 7, "without '7'; "),
        (lambda scores: (scores[:, 0], scores), None, "'output: 1'"),
        (lambda scores: {"scores": scores}, None, "'output: scores'"),
        (lambda scores: scores, "scores", "leave 'output' out"),
        (lambda scores: scores[:, :1], None, "make two of it, 1 - p and p"),
        (lambda scores: ["cat"] * len(scores), None, "expected a tensor; wrap it"),
        (lambda scores: scores.argmax(1), None, "expected one score for each class"),
        (
            lambda scores: (scores == scores.amax(1, keepdim=True)).long(),
            None,
            "returns int64, expected floats; return",
        ),
        (lambda scores: (scores == scores.amax(1, keepdim=True)).float(), None, "gives only 0 and 1, as labels do"),
        (lambda scores: scores + 1j, None, "returns complex64, expected floats"),
        (lambda scores: scores.softmax(0), None, "its softmax is over the wrong axis: correct it to 'dim=1' (PyTorch)"),
    ],
)
def test_torch_outputs_that_are_no_scores_are_refused(nn, change, output, cure):
    refused(Torch.from_object(returning(nn, change), shape=SHAPE, output=output), cure)


def test_a_view_that_mixes_images_is_refused(nn):
    module = returning(
        nn, lambda scores: scores, nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 144)), nn.Linear(144, 4))
    )
    agrees(
        Torch.from_object(module, shape=SHAPE, input_range=(0, 1)), lambda images: softmax(scores_of(module, images))
    )
    refused(Torch.from_object(module, shape=(16, 6, 3)), "see whether 'shape' is that of its images")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_weights_that_hooks_compute_are_copied(nn, name):
    """PyTorch refuses to copy such a module."""
    import torch

    body = nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    getattr(torch.nn.utils, name)(body[1])
    module = returning(nn, lambda scores: scores, body)
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    agrees(made, lambda images: softmax(scores_of(module, images)))
    assert made.gradient(images_like(made, 2), np.full(2, 1)).any()


def test_sorted_scores_are_warned_of(nn):
    """`output: 0` is what the message about several outputs names; of top-k it has no classes."""
    module = returning(
        nn, lambda scores: (9 * scores.repeat(1, 2)).topk(8), nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    )
    settings = {"shape": SHAPE, "input_range": [0, 1], "output": 0}
    with pytest.warns(fooldeap.FooldeapWarning, match="are sorted, as those of top-k are"):
        fooldeap.fool(module, 1, classifier=settings, stop={"evaluations": 200}, quiet=True)
