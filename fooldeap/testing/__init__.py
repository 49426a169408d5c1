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

from collections.abc import Mapping
from typing import Any

from fooldeap import registry
from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import Plugin, plugin_of
from fooldeap.testing.checking import check, contracts_of, sentences
from fooldeap.testing.contract import Contract
from fooldeap.testing.demands import Broken

__all__ = ["Broken", "Contract", "broken", "check", "contracts"]


def contracts(
    target: Any, *, plugins: Any = (), genome: Mapping[str, Any] | None = None, **values: Any
) -> list[Contract]:
    """Return the contracts of a plugin.

    Parameters
    ----------
    target : a decorated function or class, or a `fooldeap.plugin.Plugin`
    plugins : files, folders, or decorated functions and classes that it needs, such as its genome
    genome : of an operator: parameters of the genomes that it is tried on, where their defaults will not do
    values : parameters, where the defaults will not do, as YAML has them

    Raises
    ------
    InputError
        ``target`` is no plugin, or a parameter without a default is not given, is unknown or will not do.
    """
    plugin = target if isinstance(target, Plugin) else plugin_of(target)
    if plugin is None:
        raise InputError(f"got {target!r}, expected a function or class with a decorator of fooldeap.plugin on itself")
    found = contracts_of(plugin, registry.load(plugins), values, genome or {})
    known = {name for contract in found[:1] for choice in contract.subject.genomes for name in choice.plugin.parameters}
    for name in genome or {}:
        if name not in known:
            raise InputError(
                f"{plugin}: no genome that it is tried on has the parameter {name!r}{did_you_mean(name, known)}"
            )
    return found


def broken(target: Any, *, plugins: Any = (), genome: Mapping[str, Any] | None = None, **values: Any) -> dict[str, str]:
    """Return the contracts that do not hold, with a sentence for each; what breaks several of them is said once."""
    return sentences(contracts(target, plugins=plugins, genome=genome, **values))
