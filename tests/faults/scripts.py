"""TorchScript, written by hand: a small model, what PyTorch keeps of its values, and archives of both."""

import struct

from archives import archive, of

PROGRAM = """class Net(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Net,
    x: Tensor) -> Tensor:
    return torch.mean(x, [2, 3])
"""
CLASSES = 3  # of the model, which gives the means of the channels


def text(word):
    return b"X" + struct.pack("<L", len(word)) + word.encode()


def number(value):
    return b"J" + struct.pack("<l", value)


def called(function, *arguments):
    return b"c" + function.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def listed(*values):
    return b"](" + b"".join(values) + b"e"


def together(*values):
    return b"(" + b"".join(values) + b"t"


def thing(kind="__torch__\nNet", **attributes):
    pairs = b"".join(text(name) + value for name, value in attributes.items())
    return b"c" + kind.encode() + b"\n)\x81}(" + pairs + b"ub"


def storage(size, kind="FloatStorage", key="0"):
    return together(text("storage"), b"ctorch\n" + kind.encode() + b"\n", text(key), text("cpu"), number(size)) + b"Q"


def tensor(kept, offset=0, sizes=(2,), strides=(1,)):
    shape = [together(*map(number, each)) for each in (sizes, strides)]
    hooks = called("collections OrderedDict")
    return called("torch._utils _rebuild_tensor_v2", kept, number(offset), *shape, b"\x89", hooks)


def stream(value):
    return b"\x80\x02" + value + b"."


def parts(program=PROGRAM, data=None, constants=b")", **more):
    """Return the parts of a TorchScript archive, by name."""
    found = {
        "data.pkl": stream(thing(training=b"\x89") if data is None else data),
        "code/__torch__.py": program.encode("latin-1"),
        "constants.pkl": stream(constants),
        "version": b"3\n",
        **more,
    }
    return {f"model/{name}": part for name, part in found.items()}


def script(*arguments, **more):
    return archive(of(parts(*arguments, **more)))


def with_line(line):
    """Return the program with a line in its function."""
    return PROGRAM.replace("    return", f"    {line}\n    return")


def with_attribute(kind, name="w", program=PROGRAM):
    return program.replace("  training : bool\n", f"  training : bool\n  {name} : {kind}\n")
