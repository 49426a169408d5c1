"""Holds plugins to their contracts: all of a file, or all that are installed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fooldeap import registry
from fooldeap.configuration import reading
from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry
from fooldeap.testing import (  # noqa: F401 - they fill CONTRACTS
    algorithm,
    classifier,
    dataset,
    every,
    executor,
    fitness,
    genome,
    reporter,
    selection,
    variation,
)
from fooldeap.testing.contract import CONTRACTS, Contract
from fooldeap.testing.demands import Broken
from fooldeap.testing.subject import Subject


@dataclass(frozen=True)
class Verdict:
    """Which contracts of a plugin are broken, with a sentence for each; or why it was not checked."""

    plugin: Plugin
    broken: Mapping[str, str] = field(default_factory=dict)
    unchecked: str = ""

    def __str__(self) -> str:
        if self.unchecked:
            return "\n".join(f"not checked: {line}" for line in self.unchecked.splitlines())
        if self.broken:
            return "\n".join(f"{self.plugin}: {sentence} ({name})" for name, sentence in self.broken.items())
        return f"{self.plugin}: all its contracts hold"


def check(files: Iterable[Path], needed: Iterable[Any] = (), words: Iterable[str] = ()) -> list[Verdict]:
    """Return a verdict on each plugin of some files, or on all that are installed.

    Parameters
    ----------
    files : files and folders
    needed : files, folders, or decorated functions and classes that they need, such as their genome
    words : parameters ``key=value`` or ``kind.key=value`` for the plugins, and the genomes they are tried on, that have
        such a one

    Raises
    ------
    InputError
        A file that does not load, a name that is taken, a parameter that no plugin has.
    """
    files = list(files)
    known = registry.load([*files, *needed])
    found = [plugin for file in files for plugin in registry.found_in(file)] if files else known.all()
    given = _Given(words)
    given.refuse_unknown([*found, *known.all("genome")])
    return [_verdict(plugin, known, given) for plugin in found]


def contracts_of(
    plugin: Plugin, known: Registry, values: Mapping[str, Any], of_genomes: Mapping[str, Any]
) -> list[Contract]:
    """Return the contracts of a plugin with its parameters, and with some of the genomes that it is tried on."""
    subject = Subject(plugin, values, known, of_genomes)
    return [Contract(name, each, subject) for kinds, name, each in CONTRACTS if not kinds or plugin.kind in kinds]


def sentences(contracts: Iterable[Contract]) -> dict[str, str]:
    """Return the contracts that do not hold, with a sentence for each; what breaks several of them is said once."""
    found: dict[str, str] = {}
    for contract in contracts:
        try:
            contract()
        except Broken as error:
            if str(error) not in found.values():
                found[contract.name] = str(error)
    return found


def _verdict(plugin: Plugin, known: Registry, given: "_Given") -> Verdict:
    try:
        return Verdict(plugin, sentences(contracts_of(plugin, known, given.to(plugin), given.genome)))
    except InputError as error:
        return Verdict(plugin, unchecked=str(error))


class _Given:
    """Parameters from words, ``key=value`` for every kind of plugin, ``kind.key=value`` for one."""

    def __init__(self, words: Iterable[str]) -> None:
        data = reading.from_overrides(words).data
        self.by_kind = {kind: data.pop(kind) for kind in KINDS if isinstance(data.get(kind), dict)}
        self.anywhere = data

    @property
    def genome(self) -> dict[str, Any]:
        """Those for genomes."""
        return {**self.anywhere, **self.by_kind.get("genome", {})}

    def to(self, plugin: Plugin) -> dict[str, Any]:
        """Return those that a plugin has."""
        given = {**self.anywhere, **self.by_kind.get(plugin.kind, {})}
        return {name: value for name, value in given.items() if name in plugin.parameters}

    def refuse_unknown(self, plugins: Iterable[Plugin]) -> None:
        """Raise `InputError` for a word that no plugin has a parameter for."""
        has = {kind: {name for each in plugins if each.kind == kind for name in each.parameters} for kind in KINDS}
        everything = set().union(*has.values())
        wanted = [("", name, everything) for name in self.anywhere]
        wanted += [(f"{kind}.", name, has[kind]) for kind, values in self.by_kind.items() for name in values]
        for prefix, name, known in wanted:
            if name not in known:
                raise InputError(
                    f"{prefix}{name}: no plugin that is checked has this parameter{did_you_mean(name, known)}"
                )
