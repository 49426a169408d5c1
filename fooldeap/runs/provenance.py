"""What a run was made with: versions, machine, and its plugins by the digests of their sources."""

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fooldeap.configuration.choices import Choice
from fooldeap.configuration.experiment import CHOICES, Experiment

# What computes bits, as far as it is installed.
PACKAGES = ("fooldeap", "deap", "numpy", "scipy", "cma", "tensorflow", "keras", "onnxruntime", "torch")
_NO_BITS = ("executor",)  # it decides where things are done, and no bit of what comes out


def environment(experiments: Iterable[Experiment] = ()) -> dict[str, Any]:
    """Return the versions, the machine and the plugins, as far as results may depend on them."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "packages": dict(_versions()),
        "plugins": dict(sorted(_sources(experiments))),
        "command": sys.argv,
    }


def changes(recorded: Mapping[str, Any], experiments: Iterable[Experiment]) -> list[str]:
    """Return what is no longer as it was recorded, each in words; a plugin that is new is no change."""
    now = environment(experiments)
    packages = _recorded(recorded, "packages")
    plugins = _recorded(recorded, "plugins")
    return [
        *(
            f"{name} was {packages[name]}, and is {version}"
            for name, version in now["packages"].items()
            if name in packages and packages[name] != version
        ),
        *(
            f"the source of {plugin} has changed"
            for plugin, digest in now["plugins"].items()
            if plugin in plugins and plugins[plugin] != digest
        ),
    ]


def _recorded(recorded: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = recorded.get(key)
    return found if isinstance(found, dict) else {}


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _sources(experiments: Iterable[Experiment]) -> Iterator[tuple[str, str]]:
    """Yield each plugin that decides bits, with the SHA-256 of the file that defines it."""
    for experiment in experiments:
        for kind in CHOICES:
            choice = getattr(experiment, kind)
            if choice is None or kind in _NO_BITS:
                continue
            for each in _with_inner(choice):
                source = Path(each.plugin.source)
                if source.is_file():  # else it was defined in a notebook
                    yield str(each.plugin), hashlib.sha256(source.read_bytes()).hexdigest()


def _with_inner(choice: Choice) -> list[Choice]:
    return [choice, *(inner for _, inner in choice.inner())]
