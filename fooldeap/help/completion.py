"""Shell completion of the names and kinds of plugins."""

import contextlib


def complete_name(incomplete: str) -> list[str]:
    """Return the names of all installed plugins that start with ``incomplete``."""
    from fooldeap import registry

    with contextlib.suppress(Exception):  # an error message would appear in the middle of the user's command line
        return sorted({each.name for each in registry.load().all() if each.name.startswith(incomplete)})
    return []


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of plugins that start with ``incomplete``."""
    from fooldeap.plugin import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]
