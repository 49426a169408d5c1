"""What the user trusts, in this process, for as long as a command or a call lasts.

No file can say so, since that is what a file from somebody else would do: no switch is a key of YAML or part of a
resolved configuration. WorkerTask that travels to our own workers takes it along, see `fooldeap.runs.worker_task`.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple


class Trust(NamedTuple):
    """Whether code in model files may run, and whether what a YAML file names to be run is refused.

    ``force`` is whether a folder is resumed although what it was made with has changed.
    """

    model: bool = False
    no_plugins: bool = False
    force: bool = False


_given = Trust()


def given() -> Trust:
    """Return what is trusted just now."""
    return _given


@contextlib.contextmanager
def trusting(*, model: bool = False, no_plugins: bool = False, force: bool = False) -> Iterator[None]:
    """Trust so much within the block."""
    global _given
    before, _given = _given, Trust(model, no_plugins, force)
    try:
        yield
    finally:
        _given = before
