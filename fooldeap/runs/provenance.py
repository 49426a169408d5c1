"""Provenance of a run: versions, machine, and digests of the plugins' source files."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fooldeap.configuration.experiment import CHOICES, Experiment
from fooldeap.plugin import Plugin
from fooldeap.storage.inputs import digest_of

# Installed packages that may influence the bits of results.
PACKAGES = ("fooldeap", "deap", "numpy", "scipy", "cma", "tensorflow", "keras", "onnxruntime", "torch")
_NO_BITS = ("executor",)  # kinds of plugins that never influence the bits of results


def environment(experiments: Iterable[Experiment] = ()) -> dict[str, Any]:
    """Return the versions, the machine and the plugins that results may depend on."""
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
    """Return the differences from the recorded environment, as sentences. A new plugin is not a difference."""
    experiments = list(experiments)
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
            f"{source}, the source of {' and '.join(sorted(its))}, has changed"
            for source, its in _by_source(experiments).items()
            if any(plugin in plugins and plugins[plugin] != now["plugins"][plugin] for plugin in its)
        ),
    ]


def _by_source(experiments: Iterable[Experiment]) -> dict[str, set[str]]:
    """Return the plugins that influence results, by the names of the files that define them."""
    found: dict[str, set[str]] = {}
    for plugin in _deciding(experiments):
        found.setdefault(Path(plugin.source).name, set()).add(str(plugin))
    return found


def _recorded(recorded: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = recorded.get(key)
    return found if isinstance(found, dict) else {}


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _sources(experiments: Iterable[Experiment]) -> Iterator[tuple[str, str]]:
    """Yield each plugin that influences results, with the SHA-256 of the file that defines it."""
    for plugin in _deciding(experiments):
        yield str(plugin), digest_of(Path(plugin.source), named=True)


def _deciding(experiments: Iterable[Experiment]) -> Iterator[Plugin]:
    """Yield the plugins that influence results and are defined in a file, not in a notebook."""
    for experiment in experiments:
        for (kind, *_), choice in experiment.choices():
            if kind in CHOICES and kind not in _NO_BITS and Path(choice.plugin.source).is_file():
                yield choice.plugin
