"""Slow third-party plugins, and a classifier that fails outside the first process."""

import ctypes
import os
import re
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from fooldeap.plugin import KW_ONLY, Annotated, Ge, classifier, dataclass, genome, mutation


@classifier("slow")
@dataclass
class Slow:
    """A linear classifier that takes ``pause`` seconds per image.

    Outside the process ``only`` it fails: it raises an error; with ``holds`` it keeps the interpreter busy, with
    ``exits`` it exits, with ``dies`` it ends its process, and with ``hangs`` it waits forever, in "Python" or in "C".
    In workers, loading takes ``loads`` seconds.
    """

    _: KW_ONLY
    pause: Annotated[float, Ge(0)] = 0.0
    only: int = 0
    holds: bool = False
    exits: bool = False
    dies: bool = False
    hangs: str = ""
    loads: Annotated[float, Ge(0)] = 0.0

    input_shape = (8, 8, 1)
    classes = 4
    digest = "slow"

    def __post_init__(self):
        if "_worker" in Path("/proc/self/cmdline").read_text():
            time.sleep(self.loads)

    def _wait(self):
        """Swallow interruptions, like a client that retries."""
        try:
            time.sleep(1000)
        except Exception:
            return

    def logits(self, images):
        if self.only and os.getpid() != self.only:
            if self.holds:
                re.match("(a*)*b", "a" * 64)
            if self.exits:
                sys.exit(5)
            if self.dies:
                os._exit(7)
            while self.hangs == "Python":
                self._wait()
            if self.hangs == "C":
                wait_in_c()
            raise ValueError("no luck today")
        time.sleep(self.pause * len(images))
        weights = np.random.default_rng(7).normal(size=(64, 4)) * 0.002
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)


def wait_in_c():
    """Wait for a lock that this thread holds; no signal can end this."""
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


@genome("mirrored")
@dataclass
class Mirrored:
    """A genome that is slow to decode; it appends the decoding process to the file ``told``."""

    shape: tuple[int, int, int]
    _: KW_ONLY
    told: str = ""
    dtype: ClassVar[str] = "uint8"
    bounds: ClassVar[tuple[float, float]] = (0, 255)
    costly: ClassVar[bool] = True

    def sample(self, count, rng):
        return rng.integers(0, 256, (count, *self.shape), dtype=np.uint8)

    def decode(self, genomes):
        if self.told:
            with Path(self.told).open("a") as file:
                file.write(f"{os.getpid()}\n")
        time.sleep(0.002)
        return genomes[:, ::-1]

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)


@mutation("jitter", genome="mirrored")
def jitter(images, rng):
    """Add 0 to 8 to every value."""
    return images + rng.integers(0, 9, images.shape, dtype=np.uint8)
