"""What every plugin promises, as checks that say in a sentence what is broken.

In a test of your own::

    import pytest
    from fooldeap.testing import contracts

    from smudge import smudge

    @pytest.mark.parametrize("contract", contracts(smudge), ids=str)
    def test_smudge(contract):
        contract()

``fooldeap plugins check FILE`` does the same for all plugins of a file.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fooldeap import registry
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import Plugin
from fooldeap.testing import algorithm, every, fitness, genome, selection, variation  # noqa: F401 - they fill CONTRACTS
from fooldeap.testing.promise import CONTRACTS, Broken, Contract, Subject

__all__ = ["Broken", "Contract", "broken", "contracts", "report"]


def contracts(target: Any, *, plugins: Any = (), **values: Any) -> list[Contract]:
    """Return the contracts of a plugin.

    Parameters
    ----------
    target : a decorated function or class, or a `fooldeap.plugin.Plugin`
    plugins : files, folders, or decorated functions and classes that it needs, such as its genome
    values : parameters, where the defaults will not do

    Raises
    ------
    InputError
        ``target`` is no plugin, or a parameter without a default is not given.
    """
    plugin = target if isinstance(target, Plugin) else getattr(target, "__fooldeap_plugin__", None)
    if plugin is None:
        raise InputError(f"got {target!r}, expected a function or class with a decorator of fooldeap.plugin")
    subject = Subject(plugin, values, registry.load(plugins))
    return [Contract(name, check, subject) for kinds, name, check in CONTRACTS if not kinds or plugin.kind in kinds]


def broken(target: Any, *, plugins: Any = (), **values: Any) -> dict[str, str]:
    """Return the contracts that do not hold, with a sentence for each."""
    found = {}
    for contract in contracts(target, plugins=plugins, **values):
        try:
            contract()
        except Broken as error:
            found[contract.name] = str(error)
    return found


def report(files: Iterable[Path], needed: Iterable[Any] = ()) -> str:
    """Return a line for each plugin of some files, or of all that are installed.

    Raises
    ------
    PluginError
        The lines, where a contract is broken.
    """
    files, needed = list(files), list(needed)
    found = [plugin for file in files for plugin in registry.found_in(file)] if files else registry.load().all()
    lines, faults_found = [], 0
    for plugin in found:
        try:
            faults_of = broken(plugin, plugins=[*files, *needed])
            lines += [f"{plugin}: {sentence} ({name})" for name, sentence in faults_of.items()]
            lines += [] if faults_of else [f"{plugin}: all its contracts hold"]
        except InputError as error:
            faults_of = {}
            lines.append(f"not checked: {error}")
        faults_found += len(faults_of)
    if faults_found:
        raise PluginError("\n".join(lines))
    return "\n".join(lines)
