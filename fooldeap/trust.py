"""The permissions that the user gives in this process, for the duration of a command or a call.

A file cannot give permissions, because it may come from another person. They are therefore neither keys of YAML nor
part of a resolved configuration. A `fooldeap.runs.worker_task.WorkerTask` takes them along to its own workers.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple


class Trust(NamedTuple):
    """Permissions: whether code in model files may run, and whether plugins and commands in YAML files are refused.

    ``force`` is whether a folder is resumed although its environment has changed.
    """

    model: bool = False
    no_plugins: bool = False
    force: bool = False


_given = Trust()


def given() -> Trust:
    """Return the current permissions."""
    return _given


@contextlib.contextmanager
def trusting(*, model: bool = False, no_plugins: bool = False, force: bool = False) -> Iterator[None]:
    """Set permissions within the block."""
    global _given
    before, _given = _given, Trust(model, no_plugins, force)
    try:
        yield
    finally:
        _given = before
