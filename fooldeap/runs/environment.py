"""``environment.json`` in a folder: versions, machine, plugins, the classifier's digest, checksums of some files."""

import contextlib
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fooldeap.configuration.experiment import CHOICES, Experiment
from fooldeap.configuration.reading import ENVIRONMENT, MADE_AT
from fooldeap.errors import InputError, blaming_damage
from fooldeap.plugin import Plugin
from fooldeap.storage.files import write_whole
from fooldeap.storage.inputs import digest_of, read, read_json
from fooldeap.storage.sums import digest

# Installed packages that may influence the bits of results.
PACKAGES = ("fooldeap", "deap", "numpy", "scipy", "cma", "tensorflow", "keras", "onnxruntime", "torch")
_NO_BITS = ("executor",)  # kinds of plugins that never influence the bits of results
_NOTED, _FORCED, _ANSWERS, _WARNINGS = "sha256", "forced", "answers_depend_on", "classifier_warnings"
_EARLIER, _BUDGETS, _PACKAGES, _PLUGINS = "earlier_experiments", "earlier_budgets", "packages", "plugins"
_DEPENDENCIES = ("image", "batch", "chance")  # what answers may depend on; each value includes those before it


class Environment:
    """The environment of the folder at ``path``.

    A difference from the recorded environment is refused. With ``force`` it is accepted and recorded, see `forced`.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path, self.force = path, force
        self._changed: list[str] = []

    def begin(self, name: str, content: str, experiments: Iterable[Experiment], place: Path) -> None:
        """Write the environment and the file that describes the work. ``place`` is the final path of the folder."""
        known = {**current_environment(experiments), MADE_AT: str(place)}
        self._write({**known, _NOTED: {name: [digest(content.encode())]}})
        write_whole(self.path / name, content.encode())

    def check(self, experiments: Iterable[Experiment]) -> None:
        """Check that packages and plugins are unchanged. Call it after the folder is locked.

        Raises
        ------
        InputError
            Something has changed, and ``--force`` was not given.
        """
        self._changed += self.changes(experiments)
        self._refuse_changes()
        if self._changed:
            self._write(self._with_forced(self._known()))

    def changes(self, experiments: Iterable[Experiment]) -> list[str]:
        """Return the differences from the recorded environment, as sentences. A new plugin is not a difference."""
        known, experiments = self._known(), list(experiments)
        packages, plugins = known.get(_PACKAGES, {}), known.get(_PLUGINS, {})
        found = [
            f"{name} has changed from {packages[name]} to {version}"
            for name, version in _versions()
            if packages.get(name, version) != version
        ]
        now, by_file = dict(_sources(experiments)), defaultdict[str, set[str]](set)
        for plugin in _deciding(experiments):
            by_file[Path(plugin.source).name].add(str(plugin))
        for file, names in by_file.items():
            if any(plugins.get(name, now[name]) != now[name] for name in names):
                found.append(f"{file}, the source of {' and '.join(sorted(names))}, has changed")
        return found

    def check_classifier(
        self, digest: str, depends_on: str | None = None, warnings: Iterable[str] = (), device: str | None = None
    ) -> None:
        """Record the digest of the classifier, or check that it is unchanged.

        If known, also record what the answers depend on and the warnings about the classifier, see `Calibration`. The
        strongest dependency of all sessions is kept, because each session tries only some batch sizes. ``device`` is
        the device that computes.

        Raises
        ------
        InputError
            The digest differs, and ``--force`` was not given.
        """
        known = noted = self._known()
        if known.get("classifier", digest) != digest:
            self._changed.append("the classifier has changed")
            self._refuse_changes()
            noted = self._with_forced(known)
        found = [each for each in (known.get(_ANSWERS), depends_on) if each in _DEPENDENCIES]
        answers = {_ANSWERS: max(found, key=_DEPENDENCIES.index)} if found else {}
        texts = list(dict.fromkeys([*known.get(_WARNINGS, []), *warnings]))
        found_by = {"device": device} if device else {}
        noted = {**noted, "classifier": digest, **found_by, **answers, **({_WARNINGS: texts} if texts else {})}
        if noted != known:
            self._write(noted)

    def check_files(self, cures: dict[str, str]) -> None:
        """Check that no file was changed after its checksum was recorded. ``cures`` maps names of files to advice.

        Raises
        ------
        InputError
            A file was changed, and ``--force`` was not given.
        """
        for name, sums in self._known()[_NOTED].items():
            path = self.path / name
            if path.is_file() and digest_of(path) not in sums:
                if not self.force:
                    cure = cures.get(name, "restore it from a copy")
                    raise InputError(f"{path}: does not match its checksum in {ENVIRONMENT}; {cure}")
                self._changed.append(f"{name} has changed")

    def write_noted(self, name: str, content: str, *, paths: bool = False) -> None:
        """Write a file and record its checksum, so that later changes are refused.

        Checksums of earlier contents are kept, so that one of them is right after any interruption. ``paths``: the
        content has paths that are valid for the current place of the folder.
        """
        path, raw = self.path / name, content.encode()
        if path.is_file() and read(path) == raw:
            return
        known = self._known()
        noted = known.setdefault(_NOTED, {}).setdefault(name, [])
        if digest(raw) not in noted:
            noted.append(digest(raw))
            if paths:
                known[MADE_AT] = str(self.path.resolve())
            self._write(known)
        write_whole(path, raw)

    def note_earlier(self, *digests: str) -> None:
        """Record digests of experiments before they are extended, see `earlier`."""
        known = self._known()
        self._write({**known, _EARLIER: list(dict.fromkeys([*known.get(_EARLIER, []), *digests]))})

    def note_budgets(self, budgets: Mapping[str, int]) -> None:
        """Record the budgets of runs before a study is extended, see `earlier_budgets`."""
        known = self._known()
        self._write({**known, _BUDGETS: {**known.get(_BUDGETS, {}), **budgets}})

    @property
    def earlier(self) -> tuple[str, ...]:
        """Digests of the experiment before it was extended. Its journals may have them."""
        return tuple(self._known().get(_EARLIER, ()))

    @property
    def earlier_budgets(self) -> dict[str, int]:
        """The budgets of the runs of a study before it was extended, by the digest of their experiment."""
        return {str(digest): int(budget) for digest, budget in self._known().get(_BUDGETS, {}).items()}

    @property
    def forced(self) -> list[str]:
        """Changes that were accepted with ``--force``."""
        return list(self._known().get(_FORCED, []))

    @property
    def classifier(self) -> str | None:
        """The digest of the classifier, or None if it was not recorded."""
        return self._known().get("classifier")

    @property
    def answers_depend_on(self) -> str | None:
        """What the answers of the classifier depend on, see `Calibration`, or None if it was not recorded."""
        return self._known().get(_ANSWERS)

    @property
    def classifier_warnings(self) -> list[str]:
        """Signs that the classifier was loaded wrongly."""
        return [str(text) for text in self._known().get(_WARNINGS, [])]

    def _refuse_changes(self) -> None:
        if self._changed and not self.force:
            cure = "restore the earlier state, or accept the change with --force"
            raise InputError("\n".join(f"{self.path}: {change}; {cure}" for change in self._changed))

    def _with_forced(self, known: dict[str, Any]) -> dict[str, Any]:
        return {**known, _FORCED: list(dict.fromkeys([*known.get(_FORCED, []), *self._changed]))}

    def _known(self) -> dict[str, Any]:
        path = self.path / ENVIRONMENT
        with blaming_damage(path):
            known = read_json(path) if path.is_file() else {}
            lists = {name: [str(each) for each in known.get(name, [])] for name in (_FORCED, _WARNINGS, _EARLIER)}
            mappings = {name: dict(known[name]) for name in (_PACKAGES, _PLUGINS, _BUDGETS) if name in known}
            noted = {name: list(sums) for name, sums in known.get(_NOTED, {}).items()}
            return {**known, **{name: each for name, each in lists.items() if each}, **mappings, _NOTED: noted}

    def _write(self, known: dict[str, Any]) -> None:
        write_whole(self.path / ENVIRONMENT, (json.dumps(known, indent=2) + "\n").encode())


def current_environment(experiments: Iterable[Experiment] = ()) -> dict[str, Any]:
    """Return the versions, the machine and the plugins that results may depend on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        _PACKAGES: dict(_versions()),
        _PLUGINS: dict(sorted(_sources(experiments))),
        "command": sys.argv,
    }


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
