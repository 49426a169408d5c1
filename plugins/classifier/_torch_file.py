"""Find out what a PyTorch file is, and load it: TorchScript as data of a kind, an exported program where it is trusted.

Pickles of ``torch.save`` are not loaded at all. TorchScript is a program for an interpreter of its own, which has
operators that write files: code that names one is refused, before it is loaded. What loads an exported program
evaluates text in it as Python and looks functions up by their names, so such a file is code.
"""

import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fooldeap.plugin import InputError
from fooldeap.trust import given

from ._model import limit_of

SUFFIXES = (".pt", ".pt2", ".pth", ".ts")
# Words of TorchScript by which a program reaches files, other processes and compiled code; wherever they stand, since
# an operator can be called as a method as well.
OUTWARD = re.compile(r"\b(from_file|save|load|read_file|write_file|_?rpc\w*|_?c10d\w*|inductor)\b")
MOST_CODE = 1 << 24  # bytes of TorchScript
_CURE = "save it with torch.jit.save(torch.jit.script(model), 'NAME.pt')"


@dataclass(frozen=True)
class Program:
    """A model ready for calls, the shape of its images (h, w, c) and its batch size, as far as it says them."""

    model: Any
    shape: tuple[int, int, int] | None = None
    batch: int | None = None


def load(path: Path, where: str) -> Program:
    """Return the model in a file.

    Raises
    ------
    InputError
        It is neither TorchScript nor an exported program, the latter is not trusted, or it does not load.
    """
    kind = _kind(path, where)
    if kind == "exported" and not given().model:
        raise InputError(
            f"{where} is an exported program, which is code; save it as TorchScript, or, if you trust whoever made "
            "it, run with --trust-model (in Python: trust_model=True)"
        )
    torch = _package(where)
    try:
        return _exported(torch, path) if kind == "exported" else Program(torch.jit.load(path, "cpu").eval())
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise InputError(f"{where} does not load: {type(error).__name__}: {said}; export it anew") from None


def _kind(path: Path, where: str) -> str:
    """Return "script" or "exported", by what is in the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [each.filename.lower() for each in members]
            if sum(each.file_size for each in members) > limit_of(path) or len(set(names)) < len(names):
                raise InputError(f"{where} would unpack to far more than it is; do not use this file")
            code = [each for each, name in zip(members, names, strict=True) if re.search(r"(^|/)code/.*\.py$", name)]
            if code:
                _check_code(archive, code, where)
                return "script"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error):
        raise InputError(f"{where}: the file is damaged or no TorchScript; {_CURE}") from None
    if any(name.endswith(("/models/model.json", "serialized_exported_program.json")) for name in names):
        return "exported"
    if any(name.endswith("/data.pkl") for name in names):
        raise InputError(f"{where} is a pickle of torch.save, which is never loaded; {_CURE}")
    raise InputError(f"{where} is neither TorchScript nor an exported program; {_CURE}")


def _check_code(archive: zipfile.ZipFile, code: list[zipfile.ZipInfo], where: str) -> None:
    if sum(each.file_size for each in code) > MOST_CODE:
        raise InputError(f"{where} holds far more code than a model has; do not use this file")
    for each in code:
        found = OUTWARD.search(archive.read(each).decode("utf-8", "replace"))
        if found and not given().model:
            raise InputError(
                f"{where} says {found[0][:60]!r}, which reaches outside a model; do without it, or, if you trust "
                "whoever made it, run with --trust-model (in Python: trust_model=True)"
            )


def _package(where: str) -> Any:
    # Threads that wait by spinning take the cores away from everything else; read when PyTorch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{where} needs the package 'torch'; install the extra: pip install 'fooldeap[torch]'"
        ) from None
    return torch


def _exported(torch: Any, path: Path) -> Program:
    program = torch.export.load(path)
    inputs = set(program.graph_signature.user_inputs)
    sizes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs]
    if len(sizes) != 1 or len(sizes[0]) != 4:
        raise ValueError(f"it takes {len(sizes)} inputs, expected one of (n, channels, height, width)")
    batch, channels, height, width = (size if isinstance(size, int) else 0 for size in sizes[0])
    shape = (height, width, channels) if channels and height and width else None
    return Program(program.module(), shape, batch or None)
