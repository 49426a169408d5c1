"""Check the contracts of all plugins of a file, or of all installed plugins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fooldeap import registry
from fooldeap.configuration import reading
from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry
from fooldeap.testing import (  # noqa: F401 - these modules fill CONTRACTS
    algorithm,
    classifier,
    dataset,
    every,
    executor,
    fitness,
    genome,
    reporter,
    selection,
    state,
    statistic,
    variation,
)
from fooldeap.testing.contract import CONTRACTS, Contract
from fooldeap.testing.demands import ContractViolation
from fooldeap.testing.subject import Subject


@dataclass(frozen=True)
class CheckResult:
    """The broken contracts of a plugin by name, with a sentence each; or the reason why it was not checked."""

    plugin: Plugin
    broken: Mapping[str, str] = field(default_factory=dict)
    unchecked: str = ""

    def __str__(self) -> str:
        if self.unchecked:
            return "\n".join(f"not checked: {line}" for line in self.unchecked.splitlines())
        if self.broken:
            return "\n".join(f"{self.plugin}: {sentence} ({name})" for name, sentence in self.broken.items())
        return f"{self.plugin}: all contracts passed"


def check(files: Iterable[Path], needed: Iterable[Any] = (), words: Iterable[str] = ()) -> list[CheckResult]:
    """Check each plugin of the files, or all installed plugins without files.

    Parameters
    ----------
    files : files and folders
    needed : files, folders, or decorated functions and classes that the plugins need, such as their genome
    words : parameters ``key=value`` or ``kind.key=value`` for the plugins that have them, and for the genomes on which
        operators are tried

    Raises
    ------
    InputError
        A file cannot be loaded, a name is in use, or no plugin has a parameter.
    """
    files = list(files)
    known = registry.load([*files, *needed])
    found = [plugin for file in files for plugin in registry.found_in(file)] if files else known.all()
    parameters = _Parameters(words)
    parameters.refuse_unknown([*found, *known.all("genome")])
    return [_check_plugin(plugin, known, parameters) for plugin in found]


def make_contracts(
    plugin: Plugin, known: Registry, values: Mapping[str, Any], of_genomes: Mapping[str, Any]
) -> list[Contract]:
    """Return the contracts of a plugin, with parameters for it and for the genomes on which it is tried."""
    subject = Subject(plugin, values, known, of_genomes)
    return [Contract(name, each, subject) for kinds, name, each in CONTRACTS if not kinds or plugin.kind in kinds]


def find_broken(contracts: Iterable[Contract]) -> dict[str, str]:
    """Return the broken contracts by name, with a sentence each; a cause that breaks several is listed once."""
    found: dict[str, str] = {}
    for contract in contracts:
        try:
            contract()
        except ContractViolation as error:
            if str(error) not in found.values():
                found[contract.name] = str(error)
    return found


def _check_plugin(plugin: Plugin, known: Registry, parameters: "_Parameters") -> CheckResult:
    try:
        contracts = make_contracts(plugin, known, parameters.of(plugin), parameters.genome)
        return CheckResult(plugin, find_broken(contracts))
    except InputError as error:
        return CheckResult(plugin, unchecked=str(error))


class _Parameters:
    """Parameters from the command line: ``key=value`` for every kind of plugin, ``kind.key=value`` for one kind."""

    def __init__(self, words: Iterable[str]) -> None:
        data = reading.from_overrides(words).data
        self.by_kind = {kind: data.pop(kind) for kind in KINDS if isinstance(data.get(kind), dict)}
        self.anywhere = data

    @property
    def genome(self) -> dict[str, Any]:
        """The parameters of genomes."""
        return {**self.anywhere, **self.by_kind.get("genome", {})}

    def of(self, plugin: Plugin) -> dict[str, Any]:
        """Return the parameters that a plugin has."""
        values = {**self.anywhere, **self.by_kind.get(plugin.kind, {})}
        return {name: value for name, value in values.items() if name in plugin.parameters}

    def refuse_unknown(self, plugins: Iterable[Plugin]) -> None:
        """Raise `InputError` for a parameter that no plugin has."""
        by_kind = {kind: {name for each in plugins if each.kind == kind for name in each.parameters} for kind in KINDS}
        everything = set().union(*by_kind.values())
        wanted = [("", name, everything) for name in self.anywhere]
        wanted += [(f"{kind}.", name, by_kind[kind]) for kind, values in self.by_kind.items() for name in values]
        for prefix, name, known in wanted:
            if name not in known:
                raise InputError(f"{prefix}{name}: no checked plugin has this parameter{did_you_mean(name, known)}")
