"""Detect the kind of a PyTorch file and load it: checked TorchScript, or a trusted exported program.

Pickles of ``torch.save`` are never loaded. TorchScript is a program that runs in its own interpreter. It is loaded if
it only computes (see `_torch_code`) and if its values have the declared types and sizes (see `_torch_values`). PyTorch
loads a copy of the checked parts and no other parts.

An exported program is code and needs trust: its loader evaluates text in the file as Python and looks up functions by
their names.
"""

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fooldeap.plugin import InputError
from fooldeap.storage.archives import Archive, ArchiveError, UnsafeArchiveError, packed

from . import _torch_values
from ._torch_code import OUTWARD, refused_in_graph, refused_in_text

SUFFIXES = (".pt", ".pt2", ".pth", ".ts")
MOST_CODE = 1 << 24  # bytes of TorchScript
_CURE = "save it with torch.jit.save(torch.jit.script(model), 'NAME.pt')"
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


def load(content: bytes, where: str, *, trusted: bool) -> Program:
    """Return the model in a file. Code in the file is not run unless it is ``trusted``.

    Raises
    ------
    InputError
        It is neither TorchScript nor an exported program, it needs trust that is not given, or it cannot be loaded.
    """
    try:
        parts = Archive(content).parts()
    except UnsafeArchiveError as error:
        raise InputError(f"{where} {error}; do not use this file") from None
    except ArchiveError as error:
        raise InputError(f"{where}: the file is damaged or no TorchScript (it {error}); {_CURE}") from None
    root = next(iter(parts), "").partition("/")[0]
    named = {name.removeprefix(f"{root}/"): part for name, part in parts.items()}
    if any(_CODE.fullmatch(name) for name in named):
        return _script(named, where, trusted)
    _check_exported(named, where, trusted)
    torch = _package(where)
    return _loaded(lambda: _exported(torch, io.BytesIO(packed(parts))), where)


def _package(where: str) -> Any:
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
        said = " ".join(str(error).split())[:160]
        raise InputError(f"{where} does not load: {type(error).__name__}: {said}; export it anew") from None


# --- TorchScript ----------------------------------------------------------------------------------------------------


def _script(parts: Mapping[str, bytes], where: str, trusted: bool) -> Program:
    """Return the model in a TorchScript archive. The names of ``parts`` are relative to the common folder."""
    code = {name: part.decode("utf-8", "replace") for name, part in parts.items() if _CODE.fullmatch(name)}
    if sum(map(len, code.values())) > MOST_CODE:
        raise InputError(f"{where} holds far more code than a model has; do not use this file")
    if trusted:
        torch = _package(where)
        return _loaded(lambda: Program(_compiled(torch, parts).eval()), where)
    _check_code(code, OUTWARD, where)
    if not {"data.pkl", "constants.pkl"} <= parts.keys():
        raise InputError(f"{where} is TorchScript of a form that PyTorch no longer writes; {_CURE}")
    needed = {name: part for name, part in parts.items() if _NEEDED.fullmatch(name)}
    try:
        _torch_values.check(needed, code)
    except _torch_values.ValuesError as error:
        raise InputError(f"{where} {error}; do not use this file, or, {_TRUST}") from None
    torch = _package(where)
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


# --- Exported programs ----------------------------------------------------------------------------------------------


def _check_exported(parts: Mapping[str, bytes], where: str, trusted: bool) -> None:
    """Refuse a file that is not an exported program, and an exported program that the user does not trust."""
    names = {name.lower() for name in parts}
    if any(name.endswith(_EXPORTED) for name in names):
        if not trusted:
            raise InputError(f"{where} is an exported program, which is code; save it as TorchScript, or, {_TRUST}")
    elif "data.pkl" in names:
        raise InputError(f"{where} is a pickle of torch.save, which is never loaded; {_CURE}")
    else:
        raise InputError(f"{where} is neither TorchScript nor an exported program; {_CURE}")


def _exported(torch: Any, archive: io.BytesIO) -> Program:
    program = torch.export.load(archive)
    inputs = set(program.graph_signature.user_inputs)
    sizes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs]
    if len(sizes) != 1 or len(sizes[0]) != 4:
        raise ValueError(f"it takes {len(sizes)} inputs, expected one of (n, channels, height, width)")
    batch, channels, height, width = (size if isinstance(size, int) else 0 for size in sizes[0])
    shape = (height, width, channels) if channels and height and width else None
    return Program(program.module(), shape, batch or None)
