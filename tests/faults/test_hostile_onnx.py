"""ONNX files from somebody else: the file is all that is loaded, and what cannot be worked on is one line."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from helpers.commands import call
from onnx import TensorProto, helper, numpy_helper

from fooldeap.errors import InputError
from fooldeap_plugins.classifier import _onnx_graph
from fooldeap_plugins.classifier.onnx import Onnx

OPSET = [helper.make_opsetid("", 17)]
IMAGES = np.random.default_rng(0).integers(0, 256, (9, 2, 2, 1), dtype=np.uint8)
WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def valued(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def graph(nodes, initializers=(), shape=("n", 1, 2, 2), output="y", **more):
    return helper.make_graph(nodes, "g", [valued("x", *shape)], [valued(output, "n", 3)], list(initializers), **more)


def model(made, **more):
    return helper.make_model(made, opset_imports=OPSET, ir_version=9, **more)


FLAT = helper.make_node("Flatten", ["x"], ["f"])
PRODUCT = helper.make_node("MatMul", ["f", "w"], ["y"])


def plain():
    return model(graph([FLAT, PRODUCT], [numpy_helper.from_array(WEIGHTS, "w")]))


def classifier(made, path="it.onnx", **settings):
    Path(path).write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return Onnx(model=str(path), outputs="logits", **settings)


def refused(made, **settings):
    with pytest.raises(InputError) as error:
        classifier(made, **settings).logits(IMAGES)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'onnx': model 'it.onnx'")
    return message


def in_one_line(made, capfd):
    """Have a command work on a model; return what it says, which is a line, with exit code 2."""
    Path("it.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    Path("mail.yaml").write_text(
        "name: mail\nclassifier: {name: onnx, model: it.onnx}\ntargets: 1\nstop: {evaluations: 50}\n"
    )
    assert call("run", "mail.yaml", "--no-plugins") == 2
    said = capfd.readouterr().err
    assert re.fullmatch(r"fooldeap: mail\.yaml:2:\d+: classifier: model '[^']*it\.onnx'[^\n]*\n", said), said
    return said


# --- Data in other files --------------------------------------------------------------------------------------------


def elsewhere(tensor, place="weights.bin"):
    """Have a tensor lie in a file of the current folder, or in another one."""
    Path(place).write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return tensor


def sparse(values=lambda tensor: tensor, indices=lambda tensor: tensor):
    rows, columns = np.nonzero(WEIGHTS)
    made = numpy_helper.from_array(WEIGHTS[rows, columns], "w"), numpy_helper.from_array(rows * 3 + columns, "i")
    return helper.make_sparse_tensor(values(made[0]), indices(made[1]), [4, 3])


def with_sparse(**places):
    return model(graph([FLAT, PRODUCT], sparse_initializer=[sparse(**places)]))


def with_constant(**places):
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR).sparse_tensor.CopyFrom(
        sparse(**places)
    )
    return model(graph([constant, FLAT, PRODUCT]))


def branch(nodes, initializers=(), **more):
    return helper.make_graph(nodes, "branch", [], [valued("b", 4, 3)], list(initializers), **more)


def in_branch(place):
    """A model with its weights in a branch."""
    constant = with_constant(values=elsewhere).graph.node[0]
    constant.output[0] = "b"
    weights = numpy_helper.from_array(WEIGHTS, "b")
    inner = {
        "initializer": lambda: branch([helper.make_node("Identity", ["c"], ["b"])], [named(elsewhere(weights), "c")]),
        "constant": lambda: branch([helper.make_node("Constant", [], ["b"], value=elsewhere(weights))]),
        "sparse constant": lambda: branch([constant]),
    }[place]()
    yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    choice = helper.make_node("If", ["yes"], ["w"], then_branch=inner, else_branch=inner)
    return model(graph([yes, choice, FLAT, PRODUCT]))


def named(tensor, name):
    tensor.name = name
    return tensor


def in_function():
    constant = with_constant(values=elsewhere).graph.node[0]
    made = helper.make_function("own", "Weights", [], ["w"], [constant], OPSET)
    node = helper.make_node("Weights", [], ["w"], domain="own")
    done = model(graph([node, FLAT, PRODUCT]), functions=[made])
    done.opset_import.append(helper.make_opsetid("own", 1))
    return done


@pytest.mark.parametrize(
    "made",
    [
        lambda: model(graph([FLAT, PRODUCT], [elsewhere(numpy_helper.from_array(WEIGHTS, "w"), "../weights.bin")])),
        lambda: with_sparse(values=elsewhere),
        lambda: with_sparse(indices=elsewhere),
        lambda: with_constant(values=elsewhere),
        lambda: with_constant(indices=elsewhere),
        lambda: in_branch("initializer"),
        lambda: in_branch("constant"),
        lambda: in_branch("sparse constant"),
        in_function,
    ],
)
def test_weights_in_another_file_are_refused(owned, made):
    assert re.search("keeps its weights in other files, (at .*weights.bin', )?expected a", refused(made()))


def test_sparse_weights_in_the_file_are_loaded(owned):
    expected = IMAGES.reshape(9, 4).astype(np.float32) @ WEIGHTS
    for made in (plain(), with_sparse(), with_constant()):
        np.testing.assert_allclose(classifier(made).logits(IMAGES), expected)


def tensors_in(descriptor, above=()):
    """Yield every way from a message to a tensor: the fields one after another. Messages in themselves are left out."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type not in above:
            if field.message_type.full_name == _onnx_graph.TENSOR:
                yield [field]
            for way in tensors_in(field.message_type, (*above, descriptor)):
                yield [field, *way]


WAYS = list(tensors_in(onnx.ModelProto.DESCRIPTOR))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(field.name for field in way))
def test_data_in_another_file_is_refused_wherever_the_format_has_a_place(owned, way):
    made = plain()
    message = made
    for field in way:
        found = getattr(message, field.name)
        message = found.add() if hasattr(found, "add") else found
    message.external_data.add(key="location", value="weights.bin")
    assert "keeps its weights in other files" in refused(made)
    message.ClearField("external_data")
    message.data_location = TensorProto.EXTERNAL
    assert "keeps its weights in other files" in refused(made)


def test_the_format_has_the_places_that_are_known():
    """Should it get more, they are tried as well."""
    names = {".".join(field.name for field in way) for way in WAYS}
    assert {
        "graph.initializer",
        "graph.sparse_initializer.values",
        "graph.node.attribute.sparse_tensors.indices",
        "training_info.algorithm.initializer",
        "functions.node.attribute.t",
        "functions.attribute_proto.t",
    } <= names


# --- What ONNX Runtime gets -----------------------------------------------------------------------------------------


def handed_over(made, monkeypatch):
    """Return the bytes and the settings that ONNX Runtime gets of a model, and its logits."""
    import onnxruntime

    given, session = [], onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda *found, **options: given.append(found) or session(*found, **options)
    )
    logits = classifier(made).logits(IMAGES)
    assert len(given) == 1
    return *given[0], logits


def test_fields_that_are_not_known_are_not_handed_on(owned, monkeypatch):
    unknown = b"\xfa\x7f\x06hidden"  # field 2047, text
    made = plain()
    inner = made.graph.SerializeToString() + unknown
    content = bytes([*b"\x08\x09\x3a", len(inner) & 127 | 128, len(inner) >> 7]) + inner + unknown
    content += b"\x42\x04\x0a\x00\x10\x11"
    assert content.count(b"hidden") == 2
    parsed = onnx.load_model_from_string(content)
    assert len(UnknownFieldSet(parsed)) == len(UnknownFieldSet(parsed.graph)) == 1
    given, _, logits = handed_over(content, monkeypatch)
    assert isinstance(given, bytes)
    assert b"hidden" not in given
    assert np.array_equal(logits, classifier(made).logits(IMAGES))


def test_settings_in_a_model_are_not_handed_on(owned, monkeypatch):
    made = plain()
    made.metadata_props.add(key="ort_config", value='{"session_options": {"enable_profiling": 1}}')
    given, _, _ = handed_over(made, monkeypatch)
    assert b"ort_config" not in given
    assert sorted(path.name for path in Path().iterdir()) == ["it.onnx"]


def test_a_model_is_read_in_the_format_that_was_checked(owned, monkeypatch):
    """ONNX Runtime has a format of its own, which it sees by four letters. An ONNX model may have them there, too."""
    import onnxruntime

    made = model(plain().graph, producer_name="ORTM")
    content = made.SerializeToString()
    assert content[4:8] == b"ORTM"
    with pytest.raises(Exception, match="ORT model"):
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given, options, logits = handed_over(made, monkeypatch)
    assert given[4:8] == b"ORTM"
    assert options.get_session_config_entry("session.load_model_format") == "ONNX"
    assert np.array_equal(logits, classifier(plain()).logits(IMAGES))


def test_a_file_that_changes_is_not_loaded(owned):
    made = classifier(plain())
    assert len(made.digest) == 64
    Path("it.onnx").write_bytes(with_sparse().SerializeToString())
    with pytest.raises(InputError, match="has changed since it was first read; start again"):
        _ = made.classes


# --- Graphs that end nowhere, and sizes that nothing can hold -------------------------------------------------------


def nodes(*made):
    return lambda: model(graph([helper.make_node(*each) for each in made]))


def zeros(shape, batch="n"):
    """A model of images of any size, as it looks at nothing but their number."""
    count = helper.make_node("Shape", ["x"], ["s"], start=0, end=1)
    three = numpy_helper.from_array(np.array([3]), "three")
    size = helper.make_node("Concat", ["s", "three"], ["c"], axis=0)
    return model(graph([count, size, helper.make_node("ConstantOfShape", ["c"], ["y"])], [three], (batch, *shape)))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (nodes(("Identity", ["y"], ["y"])), "does not load"),
        (nodes(("Identity", ["a"], ["y"]), ("Identity", ["y"], ["a"])), "does not load"),
        (nodes(("Add", ["a", "a"], ["y"]), ("Cast", ["y"], ["a"])), "does not load"),
        (nodes(("Cast", ["y"], ["y"])), "does not load"),
        (nodes(("Softmax", ["y"], ["y"])), "does not load"),
        (nodes(("Softmax", [], ["y"])), "does not load"),
        (nodes(("Identity", [], ["y"])), "does not load"),
        (nodes(("MatMul", [], ["y"])), "does not load"),
        (nodes(("Gemm", [], ["z"]), ("Add", ["z"], ["y"])), "does not load"),
        (nodes(("Identity", [], [""]), ("Softmax", [], ["y"])), "does not load"),
        (nodes(), "does not load"),
        (onnx.ModelProto, "has 0 inputs"),
        (lambda: zeros((1, 10**9, 10**9)), "numbers each, expected at most 16,777,216; take a model of smaller images"),
        (lambda: zeros((1, 5000, 5000)), "takes images of (5000, 5000, 1), 25,000,000 numbers each"),
        (lambda: zeros((1, 2, 2), 10**9), "takes 1,000,000,000 images of (2, 2, 1) at a time, expected at most"),
        (lambda: zeros((1, 2**62, 2)), "numbers each, expected at most"),
    ],
)
def test_a_graph_that_cannot_be_worked_on_is_one_line(owned, capfd, made, said):
    assert said in in_one_line(made(), capfd)


def test_a_size_given_by_the_user_is_bounded(owned):
    assert "numbers each, expected at most" in refused(zeros((1, "h", "w")), shape=(10**9, 10**9, 1))


def test_a_model_that_loads_and_does_not_run_is_one_line(owned, capfd):
    shape = numpy_helper.from_array(np.array([7, 11]), "shape")
    made = model(graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], [shape]))
    assert "does not run on images of (2, 2, 1) (" in in_one_line(made, capfd)


def test_an_output_that_memory_cannot_hold_is_one_line(owned, capfd):
    huge = numpy_helper.from_array(np.array([1 << 50, 3]), "huge")
    read = helper.make_node("ReduceSum", ["x"], ["r"], keepdims=0)
    made = model(graph([read, helper.make_node("Expand", ["r", "huge"], ["y"])], [huge]))
    assert re.search("does not (run|load)", in_one_line(made, capfd))


@pytest.mark.parametrize("batch", [None, 16])
def test_batches_and_graphs_of_good_models_are_as_ever(owned, batch):
    chain = [helper.make_node("MatMul", ["f", "w"], ["m"]), helper.make_node("Identity", ["m"], ["i"])]
    chain += [helper.make_node("Softmax", ["i"], ["c"], axis=-1), helper.make_node("Identity", ["c"], ["y"])]
    made = model(graph([FLAT, *chain], [numpy_helper.from_array(WEIGHTS / 255, "w")], (batch or "n", 1, 2, 2)))
    Path("it.onnx").write_bytes(made.SerializeToString())
    found = Onnx(model="it.onnx")
    expected = IMAGES.reshape(9, 4) / 255 @ WEIGHTS
    np.testing.assert_allclose(found.logits(IMAGES), expected, atol=1e-5)
    np.testing.assert_allclose(found.features(IMAGES), IMAGES.reshape(9, 4))
