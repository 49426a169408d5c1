"""PyTorch files from somebody else: only what was checked is loaded, and it only computes."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from archives import HOSTILE, archive, of
from helpers.commands import call
from scripts import (
    PROGRAM,
    called,
    listed,
    number,
    parts,
    script,
    storage,
    stream,
    tensor,
    text,
    thing,
    together,
    with_attribute,
    with_line,
)

from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.runs.run_folder import RunFolder
from fooldeap_plugins.classifier import _torch_file
from fooldeap_plugins.classifier._torch_code import OPERATORS, refused_in_graph
from fooldeap_plugins.classifier.torch import Torch

EVIL = with_line('y = torch.from_file("owned", True, 16)').replace("[2, 3])", "[2, 3]) + torch.sum(y)")
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def classifier(content, path="it.pt", **settings):
    Path(path).write_bytes(content)
    return Torch(model=str(path), shape=IMAGES.shape[1:], **settings)


def refused(content):
    """Have a file loaded, and return why it is refused, in one line."""
    with pytest.raises(InputError) as error:
        _ = classifier(content).classes
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'torch': model 'it.pt'")
    return message


def tree():
    return {path: path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


# --- Archives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_one_line_and_changes_nothing(name, owned, capfd):
    Path("it.pt").write_bytes(HOSTILE[name](of(parts()), of(parts(EVIL))))
    Path("mail.yaml").write_text(
        "name: mail\nclassifier: {name: torch, model: it.pt, shape: [6, 5, 3]}\ntargets: 1\nstop: {evaluations: 50}\n"
    )
    before = tree()
    assert call("run", "mail.yaml", "--no-plugins") == 2
    said = capfd.readouterr().err
    assert re.fullmatch(r"fooldeap: mail\.yaml:2:\d+: classifier: model '[^']*it\.pt'[^\n]*\n", said), said
    assert tree() == before


def test_two_directories_run_other_code_than_was_read(torch, owned):
    """The attack works on PyTorch, and is refused here."""
    content = HOSTILE["two directories, the first named"](of(parts()), of(parts(EVIL)))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.read("model/code/__torch__.py") == PROGRAM.encode(), "Python reads the harmless program"
    torch.jit.load(io.BytesIO(content))(torch.zeros(1, 3, 6, 5))
    assert owned.exists(), "PyTorch runs the other one"
    owned.unlink()
    assert "damaged or no TorchScript" in refused(content)
    assert not owned.exists()


def test_two_directories_are_refused_when_a_run_is_resumed(owned, capfd):
    content = HOSTILE["two directories, the first named"](of(parts()), of(parts(EVIL)))
    Path("it.pt").write_bytes(content)
    data = {"name": "mail", "classifier": {"name": "torch", "model": "it.pt", "shape": [6, 5, 3]}, "targets": 1}
    folder = RunFolder.create(config.load({**data, "stop": {"evaluations": 50}}), Path("begun").absolute())
    for words in ([], ["--no-plugins"]):
        assert call("run", "--resume", folder.path, *words) == 2
        assert "damaged or no TorchScript" in capfd.readouterr().err
    assert not owned.exists()


def test_pytorch_gets_a_copy_of_the_parts_that_it_needs_and_no_others(torch, owned, monkeypatch):
    given = []
    load = torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda file, *rest: given.append(file.getvalue()) or load(file, *rest))
    more = {"extra/x": b"1", "bytecode.pkl": b"1", "model.json": b"{}", "code/__torch__.py.debug_pkl": b"1"}
    made = classifier(script(**more))
    assert made.classes == 3
    with zipfile.ZipFile(io.BytesIO(given[0])) as opened:
        found = {name: opened.read(name) for name in opened.namelist()}
    assert found == parts()


def test_a_file_that_changes_is_not_loaded(owned):
    made = classifier(script())
    assert len(made.digest) == 64
    Path("it.pt").write_bytes(script(EVIL))
    with pytest.raises(InputError, match="has changed since it was first read; start again"):
        _ = made.classes


def test_a_file_that_is_too_large_is_not_read(owned):
    with Path("it.pt").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(InputError, match=r"has 5,368,709,120 bytes, expected at most 4,294,967,296"):
        _ = Torch(model="it.pt").digest


def test_images_that_nothing_can_hold_are_refused(torch, owned):
    Path("it.pt").write_bytes(script())
    with pytest.raises(InputError, match="numbers each, expected at most 16,777,216; take a model of smaller images"):
        _ = Torch(model="it.pt", shape=(10**9, 10**9, 3)).classes


# --- Code -----------------------------------------------------------------------------------------------------------

DEFAULT = PROGRAM.replace("x: Tensor)", 'x: Tensor,\n    y: Tensor=torch.from_file("owned", True, 16))')
CONSTANT = PROGRAM.replace("  def", '  y : Final[Tensor] = torch.from_file("owned", True, 16)\n  def')
FROM_FILE = '("owned", True, 16)'
PROGRAMS = {
    "a file mapped": (EVIL, "says 'from_file', which reaches outside"),
    "a file mapped by a default value": (DEFAULT, "says 'from_file'"),
    "a file mapped by a constant": (CONSTANT, "says 'from_file'"),
    "a file mapped as an operator": (with_line(f"y = ops.aten.from_file{FROM_FILE}"), "says 'from_file'"),
    "a file written": (with_line('torch.save(x, "owned")'), "says 'save'"),
    "a file written by an alias": (with_line('t = torch\n    t.save(x, "owned")'), "says 'save'"),
    "a name in text": (with_line(f'y = getattr(torch, "from_file"){FROM_FILE}'), "says 'from_file'"),
    "a name in text with escapes": (with_line(f'y = getattr(torch, "from\\137file"){FROM_FILE}'), "holds code with"),
    "a name in two texts": (with_line(f'y = getattr(torch, "from" "_file"){FROM_FILE}'), "'getattr' in a form"),
    "a name in text, by an alias": (with_line('g = getattr\n    y = g(torch, "x")'), "'getattr' in a form"),
    "a name in three quotes": (with_line(f'y = getattr(torch, """from_file"""){FROM_FILE}'), "holds code with"),
    "a name behind a comment": (with_line(f"y = (torch. # x\n      from_file){FROM_FILE}"), "holds code with"),
    "a name on the next line": (with_line(f"y = (torch.\n      from_file){FROM_FILE}"), "says 'from_file'"),
    "a line continued": (with_line(f"y = torch.\\\nfrom_file{FROM_FILE}"), "holds code with"),
    "code at loading": (PROGRAM + "  def __setstate__(self, s: int) -> NoneType:\n    pass\n", "'__setstate__', which"),
    "output": (with_line('print("\\n")'), "says 'print', which reaches outside"),
    "output by a default value": (PROGRAM.replace("x: Tensor)", "x: Tensor, y: int=print(1))"), "says 'print'"),
    "a thread": (with_line("y = fork(torch.relu, x)"), "says 'fork'"),
    "a class of C++": (with_line("y = __torch__.torch.classes.quantized.X()"), "says 'torch.classes'"),
    "other operators": (with_line("y = ops.quantized.relu6(x, False)"), "says 'ops' in a form"),
    "other operators by an alias": (with_line("o = ops\n    y = o.aten.relu(x)"), "says 'ops' in a form"),
    "another type": (with_line("y = unchecked_cast(__torch__.Other, self)"), "holds 'unchecked_cast' in a form"),
    "another type in a list": (with_line("y = unchecked_cast(List[__torch__.Other], x)"), "holds 'unchecked_cast' in"),
    "another tuple": (with_line("y = unchecked_cast(Tuple[int, int], x)"), "holds 'unchecked_cast' in a form"),
    "another type by an alias": (with_line("c = unchecked_cast"), "holds 'unchecked_cast' in a form"),
    "no text": (with_line("y = '\xff'"), "holds code with"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_reaches_outside_is_refused_before_pytorch_is_imported(name, owned, monkeypatch):
    monkeypatch.setattr(_torch_file, "package", None)
    program, said = PROGRAMS[name]
    assert said in refused(script(program))


@pytest.mark.parametrize(
    "program",
    [DEFAULT, CONSTANT, DEFAULT.replace("torch.from_file", 'getattr(torch, "from\\137file")')],
    ids=["default", "constant", "escapes"],
)
def test_a_program_can_reach_outside_while_it_is_loaded(torch, owned, program):
    """So what is checked must be checked before, and without PyTorch."""
    torch.jit.load(io.BytesIO(script(program)))
    assert owned.exists()
    owned.unlink()
    refused(script(program))
    assert not owned.exists()


@pytest.mark.parametrize(
    "operator",
    [
        *("_reshape_alias(x, [9999], [1])", "as_strided_(x, [9], [1])", "set_(x, x)", "resize_(x, [9999])"),
        *("_unsafe_index(x, [])", "manual_seed(1)", "set_grad_enabled(True)", "quantize_per_tensor()"),
    ],
)
def test_an_operator_that_is_not_on_the_list_is_refused(torch, owned, operator):
    name = operator.partition("(")[0]
    message = refused(script(with_line(f"y = torch.{operator}")))
    assert f"uses the operator {name!r}, which is not among those that only compute; do without it, or, if" in message


def test_the_compiled_graph_is_checked(torch, owned, monkeypatch):
    """Should a name be hidden from the check of the text, it is found in what PyTorch made of it."""
    monkeypatch.setattr(_torch_file, "refused_in_text", lambda *_: None)
    for program in (EVIL, with_line('print("x")'), with_line('torch.save(x, "owned")')):
        assert "reaches outside" in refused(script(program))
    line = "y = torch._reshape_alias(x, [1], [1])\n    if bool(torch.sum(y)):\n      x = torch.neg(y)"
    assert "uses the operator '_reshape_alias'" in refused(script(with_line(line)))
    assert not owned.exists()


def test_operators_on_the_list_are_those_of_pytorch(torch):
    known = {schema.name.rpartition("::")[2] for schema in torch._C._jit_get_all_schemas()}
    assert known >= OPERATORS
    assert not {name for name in OPERATORS if "backward" in name or "unsafe" in name or "file" in name}


def test_a_program_that_is_trusted_may_do_more(torch, owned):
    program = with_line('y = torch.from_file("owned", True, 16)').replace("[2, 3])", "[2, 3]) + torch.sum(y)")
    trusted = classifier(script(program), outputs="logits")
    trusted.allow_code()
    assert trusted.classes == 3
    assert owned.exists(), "the payload works"


# --- Values ---------------------------------------------------------------------------------------------------------

WEIGHTS = {"data/0": bytes(8)}  # two floats
FINE = tensor(storage(2))


def with_value(kind, value, **more):
    return script(with_attribute(kind), thing(training=b"\x89", w=value), **{**WEIGHTS, **more})


OTHER = "class Other(Module):\n  training : bool\n  a : int\n  b : int\n"
VALUES = {
    "a storage larger than its part": ("Tensor", tensor(storage(3)), "larger than its part of the archive"),
    "a storage of a wider kind": ("Tensor", tensor(storage(2, "DoubleStorage")), "larger than its part"),
    "a storage without a part": ("Tensor", tensor(storage(2, key="1")), "larger than its part"),
    "a storage elsewhere": ("Tensor", tensor(storage(2, key="../data/0")), "larger than its part"),
    "a storage of no kind": ("Tensor", tensor(storage(2, "OtherStorage")), "storage of an unknown kind"),
    "a storage of negative size": ("Tensor", tensor(storage(-1)), "larger than its part"),
    "a tensor larger than its storage": ("Tensor", tensor(storage(2), sizes=[3]), "reaches beyond its storage"),
    "a tensor that begins too late": ("Tensor", tensor(storage(2), 1), "reaches beyond its storage"),
    "a tensor of long strides": ("Tensor", tensor(storage(2), strides=[2]), "reaches beyond its storage"),
    "a tensor that begins before": ("Tensor", tensor(storage(2), -1), "of an odd shape"),
    "a tensor that goes back": ("Tensor", tensor(storage(2), 1, strides=[-1]), "of an odd shape"),
    "a tensor of negative size": ("Tensor", tensor(storage(2), sizes=[-1]), "of an odd shape"),
    "a tensor of fewer strides": ("Tensor", tensor(storage(2), sizes=[1, 2]), "of an odd shape"),
    "a tensor of no end": ("Tensor", tensor(storage(2), sizes=[1 << 30] * 2, strides=[0, 0]), "beyond its storage"),
    "a number for a tensor": ("Tensor", number(1), "'w' of another type than its class says, 'Tensor'"),
    "a tensor for a number": ("int", FINE, "of another type"),
    "a tuple that is too short": ("Tuple[int, int]", together(number(1)), "of another type"),
    "another object": ("__torch__.Other", thing(training=b"\x89"), "of another type"),
    "an object with fewer attributes": ("__torch__.Net", thing(), "with other attributes than its class has"),
    "an object of no class": ("__torch__.No", thing("__torch__\nNo"), "a class that its code does not have"),
    "an object of C++": ("__torch__.X", thing("__torch__.torch.classes.a\nX"), "of another type"),
    "an object of Python": ("__torch__.X", thing("builtins\nobject"), "a class that its code does not have"),
    "a list of others": ("List[Tuple[int, int]]", listed(number(1)), "of another type"),
    "a call": ("int", called("posix system", text("touch owned")), "a call of 'posix system', which is not among"),
    "another call": ("int", called("torch._utils _rebuild_qtensor"), "a call of 'torch._utils _rebuild_qtensor'"),
    "an instruction of pickles": ("int", b"\x8c\x01x", "with 'SHORT_BINUNICODE', which TorchScript does not write"),
    "nothing on the stack": ("int", b"0", "holds"),
    "a mark too many": ("int", b"(" + number(1), "holds"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_pytorch_would_believe_are_refused_before_it_is_imported(name, owned, monkeypatch):
    monkeypatch.setattr(_torch_file, "package", None)
    kind, value, said = VALUES[name]
    assert said in refused(with_value(kind, value))
    assert not owned.exists()


def test_constants_are_checked(owned, monkeypatch):
    monkeypatch.setattr(_torch_file, "package", None)
    bad = together(tensor(storage(3)))
    assert "larger than its part of the archive" in refused(script(constants=bad, **{"constants/0": bytes(8)}))


@pytest.mark.parametrize(
    "more",
    [
        {"data.pkl": stream(thing(training=b"\x89")) + b"x"},
        {"data.pkl": stream(thing(training=b"\x89") + number(1))},
        {"data.pkl": b"\x80\x02"},
        {"data.pkl": b""},
        {"data.pkl": b"\x80\x02h\x01."},
    ],
)
def test_damaged_values_are_refused(more, owned, monkeypatch):
    monkeypatch.setattr(_torch_file, "package", None)
    assert re.search("holds (damaged values|values, and something behind them)", refused(script(**more)))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (with_attribute("int", program=with_attribute("Tensor")), "declares 'w' twice"),
        (PROGRAM + PROGRAM, "declares the class '__torch__.Net' twice"),
        (PROGRAM + "  def (\n", "no TorchScript"),
    ],
)
def test_classes_that_could_be_read_in_two_ways_are_refused(program, said, owned, monkeypatch):
    monkeypatch.setattr(_torch_file, "package", None)
    assert said in refused(script(program))


def test_a_script_of_an_old_form_is_refused(owned):
    content = {name: part for name, part in parts().items() if "constants" not in name}
    assert "is TorchScript of a form that PyTorch no longer writes" in refused(archive(of(content)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Tensor", FINE),
        ("Tensor", tensor(storage(0), sizes=[0])),
        ("Tensor", tensor(storage(2), 1, [4], [0])),
        ("Optional[Tensor]", b"N"),
        ("Tuple[int, Tuple[float, str]]", together(number(1), together(b"G" + bytes(8), text("x")))),
        ("List[int]", called("torch.jit._pickle build_intlist", listed(number(1)))),
        ("Dict[str, Tensor]", called("torch.jit._pickle restore_type_tag", b"}(" + text("a") + FINE + b"u",
                                     text("Dict[str, Tensor]"))),
        ("Device", called("torch device", text("cpu"))),
        ("__torch__.Other", thing("__torch__\nOther", training=b"\x89", a=number(1), b=number(2))),
    ],
)  # fmt: skip
def test_values_of_every_type_are_loaded(torch, owned, kind, value):
    program = OTHER + with_attribute(kind)
    content = script(program, thing(training=b"\x89", w=value), **WEIGHTS)
    assert classifier(content).classes == 3


# --- Good files -----------------------------------------------------------------------------------------------------


def convolutional(nn):
    block = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.SiLU(inplace=True), nn.MaxPool2d(2))
    return nn.Sequential(block, nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def residual(nn):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8)

        def forward(self, x):
            return nn.functional.relu(x + self.second(self.first(x)), inplace=True)

    return nn.Sequential(nn.Conv2d(3, 8, 1), Block(), Block(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 5))


def attentive(nn):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.layer, self.head = nn.Conv2d(3, 16, 2, 2), layer, nn.Linear(16, 5)

        def forward(self, x):
            x = self.patches(x).flatten(2).permute(0, 2, 1)
            return nn.functional.log_softmax(self.head(self.layer(x).mean(1)), 1)

    return Net()


def resized(nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Conv2d(3, 6, 3), nn.ConvTranspose2d(6, 6, 2)])
            self.scale, self.name = (0.5, 2.0), "net"

        def forward(self, x):
            x = nn.functional.interpolate(x, size=[12, 12], mode="bilinear", align_corners=False)
            for layer in self.layers:
                x = nn.functional.gelu(layer(x)) * self.scale[0]
            x = nn.functional.pad(x, [1, 1, 0, 0])
            parts = [part.amax((2, 3)) for part in x.chunk(2, dim=1)]
            return parts[0] - parts[1] if len(self.name) == 3 else parts[0]

    return Net()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("build", [convolutional, residual, attentive, resized])
def test_models_that_pytorch_saves_give_the_same_bits(torch, owned, build, how):
    torch.manual_seed(1)
    model = build(torch.nn).eval()
    pixels = torch.from_numpy(IMAGES).float().permute(0, 3, 1, 2).contiguous()
    made = torch.jit.script(model) if how == "script" else torch.jit.trace(model, pixels, check_trace=False)
    saved = io.BytesIO()
    torch.jit.save(made, saved)
    with torch.inference_mode():
        expected = torch.jit.load(io.BytesIO(saved.getvalue())).eval()(pixels)
    found = classifier(saved.getvalue(), outputs="logits").logits(IMAGES)
    assert np.array_equal(found, expected.numpy())


def test_the_graph_of_a_good_model_is_not_refused(torch):
    assert refused_in_graph(torch.jit.load(io.BytesIO(script())).inlined_graph) is None
