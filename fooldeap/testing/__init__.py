"""Tests of the contracts of plugins; each broken contract is described in a sentence.

In a pytest file::

    import pytest
    from fooldeap.testing import contracts

    from smudge import smudge

    @pytest.mark.parametrize("contract", contracts(smudge), ids=str)
    def test_smudge(contract):
        contract()

``fooldeap plugins check FILE`` checks all plugins of a file.
"""

from collections.abc import Mapping
from typing import Any

from fooldeap import registry
from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import Plugin, plugin_of
from fooldeap.testing.checking import check, find_broken, make_contracts
from fooldeap.testing.contract import Contract
from fooldeap.testing.demands import ContractViolation

__all__ = ["Contract", "ContractViolation", "broken", "check", "contracts"]


def contracts(
    target: Any, *, plugins: Any = (), genome: Mapping[str, Any] | None = None, **values: Any
) -> list[Contract]:
    """Return the contracts of a plugin.

    Parameters
    ----------
    target : a decorated function or class, or a `fooldeap.plugin.Plugin`
    plugins : files, folders, or decorated functions and classes that the plugin needs, such as its genome
    genome : parameters of the genomes on which an operator is tried, instead of their defaults
    values : parameters of the plugin as in YAML, instead of their defaults

    Raises
    ------
    InputError
        ``target`` is not a plugin, or a parameter is missing, unknown or invalid.
    """
    plugin = target if isinstance(target, Plugin) else plugin_of(target)
    if plugin is None:
        raise InputError(f"got {target!r}, expected a function or class with a decorator of fooldeap.plugin")
    found = make_contracts(plugin, registry.load(plugins), values, genome or {})
    known = {name for contract in found[:1] for choice in contract.subject.genomes for name in choice.plugin.parameters}
    for name in genome or {}:
        if name not in known:
            raise InputError(
                f"{plugin}: no genome of this plugin has the parameter {name!r}{did_you_mean(name, known)}"
            )
    return found


def broken(target: Any, *, plugins: Any = (), genome: Mapping[str, Any] | None = None, **values: Any) -> dict[str, str]:
    """Return the broken contracts by name, with a sentence each; a cause that breaks several is listed once."""
    return find_broken(contracts(target, plugins=plugins, genome=genome, **values))
