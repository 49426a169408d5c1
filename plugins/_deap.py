"""What the plugins share that hand their work to DEAP."""

from collections.abc import Mapping
from typing import Any

from fooldeap.plugin import InputError


def parameters(operator: str, usual: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return what an operator is called with: what is ``given`` (not None), else what is ``usual``, which names all."""
    chosen = {name: value for name, value in given.items() if value is not None}
    foreign = [name for name in chosen if name not in usual]
    if foreign:
        known = ", ".join(usual) or "none"
        raise InputError(f"{foreign[0]}: {operator} has no such parameter; remove it (those it has: {known})")
    return {**usual, **chosen}
