"""The global random generators, ``random`` and ``numpy.random``, which the threads of a process share.

DEAP draws from them, and so does Keras when it builds layers. Code that seeds, replaces or draws from them must hold
`LOCK`, so that threads do not change each other's draws. The lock is never held while the classifier answers. Other
libraries that draw from them in another thread are not detected.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LOCK = threading.RLock()


@contextmanager
def preserved() -> Iterator[None]:
    """Hold the lock in a ``with`` block, and restore the state of the generators after it."""
    with LOCK:
        before = _state()
        try:
            yield
        finally:
            _restore(before)


class GlobalStream:
    """A separate random stream for code that draws from the global generators.

    Parameters
    ----------
    rng : seeds the stream
    """

    def __init__(self, rng: np.random.Generator) -> None:
        seed, other = rng.integers(0, 2**32, 2, dtype=np.uint64).tolist()
        self._state = random.Random(seed).getstate(), np.random.RandomState(other).get_state()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the global generators continue this stream in a ``with`` block, and restore them after it."""
        with preserved():
            _restore(self._state)
            try:
                yield
            finally:
                self._state = _state()


def _state() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generators are what this is about


def _restore(state: tuple[Any, Any]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
