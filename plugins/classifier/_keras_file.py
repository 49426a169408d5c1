"""Load a Keras model file; say in one line what is wrong with one that will not do.

A model file is data: nothing that it holds or names is run unless the user trusts it (``--trust-model``), nothing
outside it is read, and it cannot unpack to much more than it is. Keras' safe mode says so too; what that lets through
in one version or another, and what it does not say in a line, is looked for here first.
"""

import contextlib
import importlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from fooldeap.plugin import InputError
from fooldeap.trust import given

from ._model import limit_of

SUFFIXES = (".keras", ".h5", ".hdf5")
CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # classes that carry code
OURS = {"keras", "builtins"}  # packages whose classes and functions may be named
MOST_CONFIGURATION = 1 << 26  # bytes
_TRUST = "or, if you trust whoever made it, run with --trust-model (in Python: trust_model=True)"


def load(path: Path, where: str) -> Any:
    """Return the model in a file, without running code that the file may hold, unless the user trusts it."""
    import keras

    trusted = given().model
    try:
        architecture = _architecture(path, where)
    except InputError:
        raise
    except Exception:  # damage shows as whatever zipfile, json or HDF5 make of it
        raise InputError(
            f"{where}: the file is damaged or no Keras model; save it with model.save('NAME.keras')"
        ) from None
    if not trusted:
        _check_code(architecture, where)
    try:
        custom = _custom_objects(architecture) if trusted else None
        return keras.models.load_model(path, custom_objects=custom, compile=False, safe_mode=not trusted)
    except Exception as error:
        raise InputError(f"{where} {_said(error, trusted)}") from error


def _architecture(path: Path, where: str) -> Any:
    """Return the configuration in a model file, after a look at what else is in it."""
    import h5py

    if path.suffix.lower() == ".keras":
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive, limit_of(path), where)
            weights = [name for name in archive.namelist() if name.endswith(".h5")]
            for name in weights:
                with h5py.File(io.BytesIO(archive.read(name)), "r") as file:
                    _check_arrays(file, limit_of(path), where)
            return json.loads(archive.read("config.json"))
    with h5py.File(path, "r") as file:
        _check_arrays(file, limit_of(path), where)
        configuration = file.attrs["model_config"]
        return json.loads(configuration.decode() if isinstance(configuration, bytes) else configuration)


def _check_archive(archive: zipfile.ZipFile, limit: int, where: str) -> None:
    members = archive.infolist()
    astray = next((member.filename for member in members if _leads_out(member.filename)), None)
    if astray is not None:
        raise InputError(f"{where} has a part {astray[:60]!r} that leads out of the archive; do not use this file")
    configuration = archive.getinfo("config.json").file_size
    unpacked = sum(member.file_size for member in members)
    if configuration > MOST_CONFIGURATION or unpacked > limit:
        _refuse_size(where, max(configuration, unpacked))


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts


def _check_arrays(file: Any, limit: int, where: str) -> None:
    """Refuse arrays that are elsewhere than in this file, and more of them than it could hold."""
    import h5py

    sizes = []

    def check(name: str, item: Any) -> None:
        links = [item.get(each, getlink=True) for each in item] if isinstance(item, h5py.Group) else []
        stored = isinstance(item, h5py.Dataset)
        if any(isinstance(link, h5py.ExternalLink) for link in links) or (
            stored and (item.is_virtual or item.external)
        ):
            raise InputError(f"{where} names other files, at {name[:60]!r}, expected a model in one file; save it anew")
        if stored:
            sizes.append((item.size or 0) * item.dtype.itemsize)

    check("/", file)
    file.visititems(check)
    if sum(sizes) > limit:
        _refuse_size(where, sum(sizes))


def _refuse_size(where: str, size: int) -> None:
    raise InputError(f"{where} would unpack to {size:,} bytes, far more than it is; do not use this file")


# --- Code -----------------------------------------------------------------------------------------------------------


def _check_code(architecture: Any, where: str) -> None:
    for each in _named(architecture):
        name = str(each["class_name"])
        if name in CODE:
            layer = name.strip("_").capitalize() if name == "__lambda__" else name
            raise InputError(
                f"{where} holds a {layer} layer, code that is not run; put a layer of Keras in its place, {_TRUST}"
            )
        if _outside(each) and not _registered(each):
            raise InputError(_needs(where, str(each.get("config")) if name == "function" else name))


def _named(configuration: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a configuration that names a class or a function."""
    parts = [configuration]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def _outside(part: dict[str, Any]) -> bool:
    module = part.get("module")
    return module is not None and str(module).split(".")[0] not in OURS


def _registered(part: dict[str, Any]) -> bool:
    """Tell whether the user's own code, in this process, has told Keras of a class or function."""
    import keras

    name = part.get("config") if part["class_name"] == "function" else part.get("registered_name")
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _custom_objects(architecture: Any) -> dict[str, Any]:
    """Import what a trusted model names outside Keras, as far as it is there."""
    found = {}
    for part in filter(_outside, _named(architecture)):
        name = str(part["config"] if part["class_name"] == "function" else part["class_name"])
        with contextlib.suppress(ImportError, AttributeError):
            found[name] = getattr(importlib.import_module(str(part["module"])), name)
            found[str(part.get("registered_name"))] = found[name]
    return found


def _needs(where: str, name: str) -> str:
    return f"{where} needs {name[:60]!r}, code outside Keras; build it of layers of Keras, {_TRUST}"


def _said(error: Exception, trusted: bool) -> str:
    text = " ".join(str(error).split())
    custom = re.search(r"(?:Could not locate (?:class|function)|Unknown (?:layer|class)):? '?(\w+)", text)
    if custom and trusted:
        return f"needs {custom[1][:60]!r}, which no module that it names has; install that, or use it from Python"
    if custom:
        return _needs("", custom[1]).lstrip()
    return f"does not load: {type(error).__name__}: {text[:160]}"
