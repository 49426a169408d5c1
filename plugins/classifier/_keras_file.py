"""Load a Keras model file. An unusable file raises an error with a message of one line.

A model file is treated as data. Code that it contains or names is not run unless the user trusts the file
(``--trust-model``). No other file is read. The unpacked size is limited. Keras' safe mode has the same aim, but the
checks here do not depend on the version of Keras. Keras loads a copy of the checked parts, never the file itself.
"""

import contextlib
import importlib
import io
import json
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fooldeap.errors import FileError
from fooldeap.plugin import InputError
from fooldeap.storage.archives import Archive, UnsafeArchiveError, packed
from fooldeap.storage.files import write_whole
from fooldeap.storage.npz import most_unpacked

from ._code import in_a_line
from ._keras_allowed import is_allowed, is_operation_of_keras, resolved

SUFFIXES = (".keras", ".h5", ".hdf5")
CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # classes that contain code
CONFIGURATION, METADATA = "config.json", "metadata.json"
_KERAS_2 = (
    "convert it with tf2onnx.convert.from_keras(tf_keras.models.load_model('FILE{}'), output_path='NAME.onnx') and say "
    "'name: onnx'; the packages are in the extra: pip install 'fooldeap[keras2]'; for other ways see 'Keras 2' in "
    "docs/classifiers.md"
)
_MAGIC = {b"\x89HDF\r\n\x1a\n": ".h5", b"PK\3\4": ".keras"}
# Keys of layers that have no effect: with this value, or with any (...), because the layer never uses them.
_UNUSED = {"kernel_initializer": ..., "kernel_regularizer": ..., "kernel_constraint": ...}
_IDLE: dict[str, dict[str, Any]] = {
    **{name: {"groups": 1} for name in ("DepthwiseConv1D", "DepthwiseConv2D")},
    **{name: {"groups": 1, **_UNUSED} for name in ("SeparableConv1D", "SeparableConv2D")},
    **{name: {"groups": 1} for name in ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")},
    **{name: {"time_major": False} for name in ("LSTM", "GRU", "SimpleRNN")},
}
MOST_CONFIGURATION = 1 << 26  # bytes
_TRUST = "or, if you trust its author, run with --trust-model (in Python: trust_model=True)"


def load(content: bytes, suffix: str, where: str, *, trusted: bool) -> Any:
    """Return the model in a file. Code in the file is not run unless the user trusts it.

    Parameters
    ----------
    content
        The content of the file.
    suffix
        The suffix of the file name.
    where
        The beginning of error messages.
    trusted
        Whether the user trusts the file.

    Raises
    ------
    InputError
        The file is damaged or unsafe, it needs trust that is not given, or Keras cannot load it.
    """
    import keras

    suffix = next((each for magic, each in _MAGIC.items() if content.startswith(magic)), suffix)  # of the content
    try:
        architecture, checked, version = (_archive if suffix == ".keras" else _hdf5)(content, where)
    except InputError:
        raise
    except UnsafeArchiveError as error:
        raise InputError(f"{where} {error}; do not use this file") from None
    except Exception:  # damage can raise any error of zipfile, json or h5py
        raise InputError(
            f"{where}: the file is damaged or no Keras model; save it with model.save('NAME.keras')"
        ) from None
    old = version.startswith("2.")
    if not trusted:
        _check_code(architecture, where, suffix, version if old else None)
    try:
        custom = _custom_objects(architecture) if trusted else None
        with tempfile.TemporaryDirectory(prefix="fooldeap-") as folder, warnings.catch_warnings():
            copy = Path(folder) / f"model{suffix}"
            write_whole(copy, checked)
            # Keras 2 wrote the shape of the input into the first layer, which Keras 3 accepts with a warning.
            warnings.filterwarnings("ignore", "Do not pass an `input_shape`", UserWarning)
            return keras.models.load_model(copy, custom_objects=custom, compile=False, safe_mode=not trusted)
    except FileError:  # the temporary copy cannot be written
        raise
    except Exception as error:
        said = _said(error, trusted, architecture, suffix)
        said = f"was written by Keras {version}, and Keras 3 {said}; {_KERAS_2.format(suffix)}" if old else said
        raise InputError(f"{where} {said}") from error


# --- Files ----------------------------------------------------------------------------------------------------------


def _archive(content: bytes, where: str) -> tuple[Any, bytes, str]:
    """Return the configuration in a ``.keras`` archive, a new archive of the checked parts, and the Keras version."""
    import h5py

    archive = Archive(content)
    if archive.sizes[CONFIGURATION] > MOST_CONFIGURATION:
        _refuse_size(where, archive.sizes[CONFIGURATION])
    parts = archive.parts()
    for name, part in parts.items():
        if name.endswith(".h5"):
            with h5py.File(io.BytesIO(part), "r") as file:
                _check_arrays(file, most_unpacked(len(content)), where)
        elif name.endswith(".npz"):
            parts[name] = packed(Archive(part).parts())
    architecture = _json(parts[CONFIGURATION])
    if isinstance(architecture, dict):
        architecture.pop("compile_config", None)  # the model is not compiled
    parts[CONFIGURATION] = json.dumps(architecture).encode()
    metadata = _json(parts.get(METADATA, b"{}"))
    return architecture, packed(parts), str(metadata.get("keras_version", ""))


def _hdf5(content: bytes, where: str) -> tuple[Any, bytes, str]:
    """Return the configuration in an HDF5 file, the content of the file for Keras 3, and the Keras version."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        _check_arrays(file, most_unpacked(len(content)), where)
        if "model_config" not in file.attrs:
            raise InputError(
                f"{where} has weights alone, without the layers; build the model in Python, then "
                "model.load_weights('FILE.weights.h5') and model.save('NAME.keras')"
            )
        text, version = file.attrs["model_config"], file.attrs.get("keras_version", b"")
        version = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
        architecture = _json(text)
    if version.startswith("2.") and _for_keras_3(architecture):
        copy = io.BytesIO(content)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(architecture)
        content = copy.getvalue()
    return architecture, content, version


def _for_keras_3(architecture: Any) -> bool:
    """Remove values that Keras 2 writes, that Keras 3 refuses and that have no effect. Return whether any was found."""
    changed = False
    for part in _named(architecture):
        values = part.get("config")
        if not isinstance(values, dict):
            continue
        for name, idle in _IDLE.get(str(part["class_name"]), {}).items():
            if name in values and (idle is ... or values[name] == idle):
                del values[name]
                changed = True
    return changed


def _json(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a mapping. Refuse a duplicate key, because Keras may use the value that is overwritten."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _check_arrays(file: Any, limit: int, where: str) -> None:
    """Refuse arrays in other files, and arrays that are together larger than ``limit`` bytes."""
    import h5py

    sizes = []

    def check(name: str, item: Any) -> None:
        links = [item.get(each, getlink=True) for each in item] if isinstance(item, h5py.Group) else []
        stored = isinstance(item, h5py.Dataset)
        if any(isinstance(link, h5py.ExternalLink) for link in links) or (
            stored and (item.is_virtual or item.external)
        ):
            raise InputError(
                f"{where} names other files, at {name[:60]!r}, expected a model in one file; model.save('NAME.keras')"
            )
        if stored:
            sizes.append((item.size or 0) * item.dtype.itemsize)

    check("/", file)
    file.visititems(check)
    if sum(sizes) > limit:
        _refuse_size(where, sum(sizes))


def _refuse_size(where: str, size: int) -> None:
    raise InputError(f"{where} would unpack to {size:,} bytes, far more than it is; do not use this file")


# --- Code -----------------------------------------------------------------------------------------------------------


def _check_code(architecture: Any, where: str, suffix: str = ".keras", old: str | None = None) -> None:
    """Refuse code. ``suffix`` is that of the file, and ``old`` is the version of Keras 2 that wrote it, or None."""
    for each in _named(architecture):
        if not (_registered(each) or is_allowed(each)):
            if old is not None and str(each["class_name"]) not in CODE:
                name = str(each.get("config") if each["class_name"] == "function" else each["class_name"])
                raise InputError(
                    f"{where} was written by Keras {old} and uses {name[:60]!r}, which Keras 3 cannot load; "
                    f"{_KERAS_2.format(suffix)}"
                )
            if suffix != ".keras" and is_operation_of_keras(str(each["class_name"])):
                raise InputError(f"{where} {_in_hdf5(str(each['class_name']))}")
            raise InputError(f"{where} {_refusal(each)}, {_TRUST}")


def _refusal(part: dict[str, Any]) -> str:
    """Return the reason why a class or function is refused, and the cure."""
    said, module = part["class_name"], part.get("module")
    name = str(part.get("config") if said == "function" else said)
    last = name.rpartition(".")[2]
    if last in CODE:
        layer = last.strip("_").capitalize() if last == "__lambda__" else last
        return f"holds a {layer} layer, code that is not run; put a layer of Keras in its place"
    if resolved(module, name) is None:
        return f"needs {name[:60]!r}, code outside Keras; build it of layers of Keras"
    return (
        f"names '{module}.{name}'"[:90] + ", which is not among the layers and functions that a model file may use; "
        "build it of others"
    )


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


def _registered(part: dict[str, Any]) -> bool:
    """Return whether code of the user has registered a class or function with Keras in this process."""
    import keras

    name = part.get("config") if part["class_name"] == "function" else part["class_name"]
    if part["class_name"] != "function" and part.get("module") is not None:
        name = part.get("registered_name", name)
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _custom_objects(architecture: Any) -> dict[str, Any]:
    """Import the objects outside Keras that a trusted model names. Leave out those that cannot be imported."""
    found = {}
    for part in filter(_outside, _named(architecture)):
        name = str(part["config"] if part["class_name"] == "function" else part["class_name"])
        with contextlib.suppress(ImportError, AttributeError):
            found[name] = getattr(importlib.import_module(str(part["module"])), name)
            found[str(part.get("registered_name"))] = found[name]
    return found


def _outside(part: dict[str, Any]) -> bool:
    module = part.get("module")
    return module is not None and str(module).split(".")[0] not in ("keras", "builtins")


def _needs(name: str) -> str:
    return f"needs {name[:60]!r}, code outside Keras; build it of layers of Keras, {_TRUST}"


def _in_hdf5(name: str) -> str:
    """Return what is wrong with an operation in an HDF5 file, and the cure."""
    return (
        f"uses {name[:60]!r}, an operation of Keras, which only a .keras file can hold; save the model in that format: "
        "model.save('NAME.keras')"
    )


def _said(error: Exception, trusted: bool, architecture: Any, suffix: str) -> str:
    text = " ".join(str(error).split())
    custom = re.search(r"(?:Could not locate (?:class|function)|Unknown (?:layer|class)):? '?(\w+)", text)
    if custom and suffix != ".keras" and is_operation_of_keras(custom[1]):
        return _in_hdf5(custom[1])
    if custom and trusted:
        places = {str(part.get("module")) for part in filter(_outside, _named(architecture))}
        found = sorted(place for place in places if place != "__main__" and place.replace(".", "").isidentifier())
        cure = f"run with PYTHONPATH=FOLDER, the folder of the module {found[0][:60]!r}, or " if found else ""
        return (
            f"needs {custom[1][:60]!r}, which no module that it names has; {cure}call fooldeap.fool(model, TARGET) in "
            "Python, see 'Subclassed Keras model' in docs/classifiers.md"
        )
    if custom:
        return _needs(custom[1])
    return f"does not load: {in_a_line(error)}"
