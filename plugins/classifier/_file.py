"""Find and load a Keras model file; say in one line what is wrong with one that will not do."""

import json
import re
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from fooldeap.errors import did_you_mean
from fooldeap.plugin import InputError

SUFFIXES = (".keras", ".h5", ".hdf5")


def path_of(model: str) -> Path:
    """Return the file of a model: a shipped one by its name, or any by its path."""
    folder = Path(str(resources.files("fooldeap.data"))) / "classifiers"
    shipped = {path.stem: path for path in folder.glob("*.keras")}
    if model in shipped:
        return shipped[model]
    path = Path(model).expanduser()
    if not path.exists():
        what = "file" if path.suffix or len(path.parts) > 1 else "shipped model"
        raise InputError(f"classifier 'keras': no {what} {model!r}{did_you_mean(path.stem, shipped)}")
    if not path.is_file() or path.suffix not in SUFFIXES:
        raise InputError(f"classifier 'keras': {model!r} is no file that ends in {', '.join(SUFFIXES)}")
    return path


def load(path: Path, where: str) -> Any:
    """Return the model in a file, without running code that the file may hold."""
    import keras

    try:
        architecture = _architecture(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise InputError(
            f"{where}: the file is damaged or no Keras model; save it with model.save('NAME.keras')"
        ) from None
    # Looked for here as well, since not every version of Keras that will do heeds safe_mode in HDF5 files.
    if not {"Lambda", "__lambda__"}.isdisjoint(_classes(architecture)):
        raise InputError(
            f"{where} holds a Lambda layer, Python code that is not run; put a layer of Keras in its place"
        )
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise InputError(f"{where} {_said(error)}") from error


def _architecture(path: Path) -> Any:
    """Return the configuration in a model file, as JSON."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path, "r") as file:
        return json.loads(file.attrs["model_config"])


def _classes(config: Any) -> Iterator[str]:
    """Yield the names of all classes in a configuration."""
    if isinstance(config, dict):
        yield str(config.get("class_name"))
        config = list(config.values())
    for part in config if isinstance(config, list) else ():
        yield from _classes(part)


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    custom = re.search(r"(?:Could not locate (?:class|function)|Unknown (?:layer|class)):? '?(\w+)", text)
    if custom:
        return f"needs {custom[1]!r}, code outside Keras; build it of layers of Keras, or use it from Python"
    return f"does not load: {type(error).__name__}: {text[:160]}"
