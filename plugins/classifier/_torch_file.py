"""Detect the kind of a PyTorch file and load it: checked TorchScript, a trusted exported program, or weights.

Pickles of ``torch.save`` are only loaded as weights of the user's own network, by PyTorch's loader of weights, which
runs no code. TorchScript is a program that runs in its own interpreter. It is loaded if
it only computes (see `_torch_code`) and if its values have the declared types and sizes (see `_torch_values`). PyTorch
loads a copy of the checked parts and no other parts.

An exported program is code and needs trust: its loader evaluates text in the file as Python and looks up functions by
their names.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fooldeap.plugin import InputError
from fooldeap.storage.archives import Archive, ArchiveError, UnsafeArchiveError, packed

from . import _torch_values
from ._code import in_a_line, object_of
from ._torch_code import OUTWARD, refused_in_graph, refused_in_text

SUFFIXES = (".pt", ".pt2", ".pth", ".ts")
MOST_CODE = 1 << 24  # bytes of TorchScript
_CURE = (
    "export it with torch.onnx.export(model, images, 'NAME.onnx'), or save its weights with "
    "torch.save(model.state_dict(), 'NAME.pth') and name its class: 'network: file.py:CLASS'"
)
_ZIP = b"PK\3\4"
_SAFE_VERSION = (2, 6)  # the first version of PyTorch whose loader of weights cannot be made to run code
_TRUST = "if you trust its author, run with --trust-model (in Python: trust_model=True)"
# The parts of a TorchScript archive that PyTorch needs. Names are relative to the common folder.
_CODE = re.compile(r"code/[\w/]+\.py")
_NEEDED = re.compile(rf"{_CODE.pattern}|(data|constants)(\.pkl|/\d+)|(\.data/)?version|byteorder")
_EXPORTED = ("models/model.json", "serialized_exported_program.json")


@dataclass(frozen=True)
class Program:
    """A loaded model, the shape of its images (h, w, c) and its batch size. The last two are None if unknown."""

    model: Any
    shape: tuple[int, int, int] | None = None
    batch: int | None = None


def load(content: bytes, where: str, *, network: str | None, trusted: bool) -> Program:
    """Return the model in a file. Code in the file is not run unless it is ``trusted``.

    ``network`` refers to the class of the model, if the file has only its weights.

    Raises
    ------
    InputError
        The file is of another kind, it needs trust that is not given, or it cannot be loaded.
    """
    if network is not None and not content.startswith(_ZIP):  # a pickle, as PyTorch wrote it before version 1.6
        return Program(_with_weights(network, content, where))
    try:
        parts = Archive(content).parts()
    except UnsafeArchiveError as error:
        raise InputError(f"{where} {error}; do not use this file") from None
    except ArchiveError as error:
        raise InputError(f"{where}: the file is damaged or no TorchScript (it {error}); {_CURE}") from None
    root = next(iter(parts), "").partition("/")[0]
    named = {name.removeprefix(f"{root}/"): part for name, part in parts.items()}
    if network is not None:
        return Program(_with_weights(network, packed(parts), where))
    if any(_CODE.fullmatch(name) for name in named):
        return _script(named, where, trusted)
    _check_exported(named, where, trusted)
    with _without_triton():
        torch = package(where)
        return _loaded(lambda: _exported(torch, io.BytesIO(packed(parts))), where)


@contextlib.contextmanager
def _without_triton() -> Iterator[None]:
    """Let PyTorch not import triton if TensorFlow is imported. Their copies of LLVM would end the process."""
    if "tensorflow" not in sys.modules or "triton" in sys.modules:
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["triton"]


def package(where: str) -> Any:
    """Import and return PyTorch."""
    # Threads that spin while they wait would occupy cores. PyTorch reads this variable when it is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{where} needs the package 'torch'; install the extra: pip install 'fooldeap[torch]'"
        ) from None
    return torch


def _loaded(load: Callable[[], Program], where: str) -> Program:
    try:
        return load()
    except InputError:
        raise
    except Exception as error:
        said = in_a_line(error)
        raise InputError(f"{where} does not load: {said}; export it anew") from None


# --- TorchScript ----------------------------------------------------------------------------------------------------


def _script(parts: Mapping[str, bytes], where: str, trusted: bool) -> Program:
    """Return the model in a TorchScript archive. The names of ``parts`` are relative to the common folder."""
    code = {name: part.decode("utf-8", "replace") for name, part in parts.items() if _CODE.fullmatch(name)}
    if sum(map(len, code.values())) > MOST_CODE:
        raise InputError(f"{where} holds far more code than a model has; do not use this file")
    if trusted:
        torch = package(where)
        return _loaded(lambda: Program(_compiled(torch, parts).eval()), where)
    _check_code(code, OUTWARD, where)
    if not {"data.pkl", "constants.pkl"} <= parts.keys():
        raise InputError(f"{where} is TorchScript of a form that PyTorch no longer writes; {_CURE}")
    needed = {name: part for name, part in parts.items() if _NEEDED.fullmatch(name)}
    try:
        _torch_values.check(needed, code)
    except _torch_values.ValuesError as error:
        raise InputError(f"{where} {error}; do not use this file, or, {_TRUST}") from None
    torch = package(where)
    _check_code(code, {schema.name.rpartition("::")[2] for schema in torch._C._jit_get_all_schemas()}, where)
    return _loaded(lambda: _checked(torch, needed, where), where)


def _check_code(code: Mapping[str, str], operators: Iterable[str], where: str) -> None:
    for text in code.values():
        _refuse(refused_in_text(text, operators), where)


def _compiled(torch: Any, parts: Mapping[str, bytes]) -> Any:
    copy = packed({f"model/{name}": part for name, part in parts.items()})
    return torch.jit.load(io.BytesIO(copy), "cpu")


def _checked(torch: Any, parts: Mapping[str, bytes], where: str) -> Program:
    """Load the program in these parts. Refuse forbidden operators."""
    model = _compiled(torch, parts)
    _refuse(refused_in_graph(model.inlined_graph), where)
    return Program(model.eval())


def _refuse(fault: str | None, where: str) -> None:
    if fault:
        raise InputError(f"{where} {fault}; do without it, or, {_TRUST}")


# --- Weights -------------------------------------------------------------------------------------------------------


def _with_weights(network: str, content: bytes, where: str) -> Any:
    """Return the user's network with the weights in a file of ``torch.save(model.state_dict(), ...)``."""
    torch = package(where)
    if tuple(map(int, torch.__version__.split(".")[:2])) < _SAFE_VERSION:
        raise InputError(f"{where} needs PyTorch 2.6 or newer, got {torch.__version__}; pip install --upgrade torch")
    named = f"{where}: network {network!r}"
    built = object_of(network, named)
    if not isinstance(built, torch.nn.Module):
        try:
            built = built()
        except Exception as error:
            raise InputError(
                f"{named} fails ({in_a_line(error)}), expected a class or function without "
                "required arguments; write one: 'def network(): return CLASS(...)'"
            ) from None
    if not isinstance(built, torch.nn.Module):
        raise InputError(f"{named} gives {type(built).__name__}, expected a torch.nn.Module; name its class")
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:
        raise InputError(
            f"{where} holds more than weights, and may run code; save the weights alone: "
            "torch.save(model.state_dict(), 'NAME.pth')"
        ) from None
    weights, expected = _state(weights), set(built.state_dict())
    try:
        built.load_state_dict(_without_prefix(weights, expected))
    except Exception as error:
        raise InputError(
            f"{named} does not fit the weights ({in_a_line(error)}); {_cure_of_weights(weights, expected)}"
        ) from None
    return built.eval()


def _state(weights: Any) -> Any:
    """Return the weights in a checkpoint."""
    for name in ("state_dict", "model_state_dict", "model"):
        if isinstance(weights, dict) and isinstance(weights.get(name), dict):
            weights = weights[name]
    return weights


def _without_prefix(weights: Any, expected: Collection[str]) -> Any:
    """Return the weights without the prefix that all names have, if the rest of the names is what is expected.

    ``DataParallel`` adds ``module.``, ``torch.compile`` adds ``_orig_mod.``, and the module of a training framework
    adds the name of its attribute. There may be several of them.
    """
    if not isinstance(weights, dict):
        return weights
    rest = weights
    while not _same(rest, expected):
        prefixes = {"".join(str(name).partition(".")[:2]) for name in rest}
        prefix = prefixes.pop() if len(prefixes) == 1 else ""
        if not prefix.endswith("."):
            return weights
        rest = {str(name).removeprefix(prefix): value for name, value in rest.items()}
    return rest


def _same(names: Iterable[Any], expected: Iterable[str]) -> bool:
    """Return whether the names are those expected. Old weights lack the counters of batch normalisation."""
    counter = "num_batches_tracked"
    return {each for each in names if not str(each).endswith(counter)} == {
        each for each in expected if not each.endswith(counter)
    }


def _cure_of_weights(weights: Any, expected: Collection[str]) -> str:
    """Return how to save weights that fit if they are a part of those in the file, or else what to name."""
    names = set(map(str, weights)) if isinstance(weights, dict) else set()
    parts = {name.removesuffix(each) for name in names for each in expected if name.endswith(f".{each}")}
    for part in sorted(parts):
        if _same({name.removeprefix(part) for name in names if name.startswith(part)}, expected):
            return (
                f"those that begin with {part[:60]!r} fit it; save them alone: "
                f"torch.save(model.{part[:60]}state_dict(), 'NAME.pth')"
            )
    return "name the class they are of"


# --- Exported programs ----------------------------------------------------------------------------------------------


def _check_exported(parts: Mapping[str, bytes], where: str, trusted: bool) -> None:
    """Refuse a file that is not an exported program, and an exported program that the user does not trust."""
    names = {name.lower() for name in parts}
    if any(name.endswith(_EXPORTED) for name in names):
        if not trusted:
            raise InputError(f"{where} is an exported program, which is code; export it to ONNX, or, {_TRUST}")
    elif "data.pkl" in names:
        raise InputError(
            f"{where} is a pickle of torch.save; if it has the weights of a model, name its class: 'network: "
            "file.py:CLASS'; if it is a whole model, save its weights with torch.save(model.state_dict(), 'NAME.pth')"
        )
    else:
        raise InputError(f"{where} is neither TorchScript nor an exported program; {_CURE}")


def _exported(torch: Any, archive: io.BytesIO) -> Program:
    return program_of(torch.export.load(archive))


def program_of(program: Any) -> Program:
    """Return the model of an exported program."""
    inputs = set(program.graph_signature.user_inputs)
    sizes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs]
    if len(sizes) != 1 or len(sizes[0]) != 4:
        raise ValueError(f"it takes {len(sizes)} inputs, expected one of (n, channels, height, width)")
    batch, channels, height, width = (size if isinstance(size, int) else 0 for size in sizes[0])
    shape = (height, width, channels) if channels and height and width else None
    return Program(program.module(), shape, batch or None)
