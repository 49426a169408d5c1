"""Linear algebra on one thread, for results that would have other bits on several."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_LOCK = threading.RLock()


def libraries() -> ThreadpoolController:
    """Return what controls the BLAS libraries that are loaded."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def single_thread(blas: ThreadpoolController) -> Iterator[None]:
    """Limit BLAS to one thread within a ``with`` block.

    Several threads add up in another order, and how many there are depends on the machine and the executor. The limit
    belongs to the process, so only one thread of Python at a time is in such a block: one that left its block would
    otherwise lift the limit of another.
    """
    with _LOCK:
        for library in blas.lib_controllers:
            # Newer versions of threadpoolctl ignore the limits of all threads but the one that set one last.
            getattr(library, "clear_controlling_thread", lambda **_: None)(force=True)
        with blas.limit(limits=1):
            yield
