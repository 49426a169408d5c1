"""What the shell may complete: names that depend on the plugins that are installed."""

import contextlib


def names(incomplete: str) -> list[str]:
    """Return the names of plugins that begin so."""
    from fooldeap import registry

    with contextlib.suppress(Exception):  # in the middle of a command line is no place to complain
        return sorted({each.name for each in registry.load().all() if each.name.startswith(incomplete)})
    return []


def kinds(incomplete: str) -> list[str]:
    """Return the kinds of plugins that begin so."""
    from fooldeap.plugin import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]
