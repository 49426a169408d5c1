"""The settings of matplotlib, which threads of a process share."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LOCK = threading.RLock()


@contextmanager
def drawing(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw with the defaults of matplotlib, and these settings over them, within a ``with`` block.

    A ``matplotlibrc`` in the current folder has no effect. One thread draws at a time, since two that replaced
    and restored the settings would draw with each other's.
    """
    from matplotlib import style

    with _LOCK, style.context(dict(settings or {}), after_reset=True):
        yield
