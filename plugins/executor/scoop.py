"""Evaluation in several processes on one machine, with SCOOP."""

import atexit
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from fooldeap.lazy_tensorflow import limit_threads, usable_cores
from fooldeap.plugin import Executor, Ge, Gt, Le, dataclass, executor, field

from ._calls import Call, in_order


@executor("scoop")
@dataclass(kw_only=True)
class Scoop(Executor):
    """Evaluate images in several processes on this machine, with the package SCOOP.

    ``workers`` is the number of processes that evaluate, including this one; ``auto`` is one per core. In the mode
    ``chunks``, this process drives all runs, and the others evaluate parts of its batches. In the mode ``runs``, each
    process drives some of the runs. The run fails if a classifier takes longer than ``batch_timeout`` for a batch or a
    part of one; null means no limit. The processes are connected by sockets that no other process can open. Source:
    Hold-Geoffroy, Gagnon and Parizeau, "Once you SCOOP, no need to fork" (2014).
    """

    workers: Annotated[int, Ge(1), Le(1024)] | Literal["auto"] = "auto"
    mode: Literal["chunks", "runs"] = "chunks"
    batch_timeout: Annotated[float, Gt(0), Le(1e6)] | None = 3600.0
    _pool: Any = field(default=None, init=False, repr=False)
    _work: Any = field(default=None, init=False, repr=False)

    @staticmethod
    def is_launched() -> bool:
        """Return whether SCOOP's own launcher, ``python -m scoop``, started this process."""
        scoop = sys.modules.get("scoop")
        return scoop is not None and scoop.IS_RUNNING and scoop.MAIN_MODULE != "fooldeap"

    @property
    def processes(self) -> int:
        """The number of processes that evaluate, including this one."""
        if self.is_launched():
            return int(sys.modules["scoop"].SIZE)
        return usable_cores() if self.workers == "auto" else self.workers

    @property
    def whole_runs(self) -> bool:
        """Whether whole runs are mapped."""
        return self.mode == "runs"

    def open(self, work: Any) -> None:
        """Start the workers, which load ``work`` at the same time as this process. SCOOP's launcher starts its own."""
        limit_threads(self._threads)
        self._work = work
        if not self.is_launched():
            from ._pool import Pool

            atexit.register(self.close)
            self._pool = Pool(work, self.processes - 1, self._threads)

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        if self.is_launched():
            from scoop import futures

            return in_order(enumerate(futures.map(Call(function, self._threads), list(items))))
        if self._pool is None or self._pool.closed:
            self.open(self._work)
        return iter(self._pool.map(function, list(items)))

    @property
    def sent_again(self) -> int:
        """The number of tasks that were sent again because their worker was lost. Unknown with SCOOP's launcher."""
        return 0 if self._pool is None else int(self._pool.broker.sent_again)

    def complaints(self) -> list[str]:
        """Return a warning if no worker was ever ready."""
        idle = self._pool is not None and self.processes > 1 and not self._pool.broker.was_ready
        return ["the workers were not ready before the run ended and did no work"] if idle else []

    def wait(self) -> None:
        """Wait until all workers are ready. Without this, the evaluation starts in this process alone."""
        if self._pool is not None:
            self._pool.wait()

    def close(self) -> str:
        """Stop the workers, and return their output."""
        atexit.unregister(self.close)
        pool, self._pool = self._pool, None
        limit_threads(None)
        return "" if pool is None else str(pool.close())

    @property
    def _threads(self) -> int:
        """The number of threads of each process."""
        return max(1, usable_cores() // self.processes)
