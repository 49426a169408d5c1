"""Evaluation in several processes with SCOOP, on this machine and on others."""

import atexit
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from fooldeap.lazy_tensorflow import limit_threads, usable_cores
from fooldeap.plugin import Command, Executor, File, Ge, Gt, InputError, Le, dataclass, executor, field

from ._hosts import MOST_WORKERS, Host, read_hosts, this_machine

MAIN_MODULE = "fooldeap"  # distinguishes fooldeap's use of SCOOP from that of its launcher


def is_launched_by_scoop() -> bool:
    """Return whether SCOOP's own launcher, ``python -m scoop``, started this process."""
    scoop = sys.modules.get("scoop")
    return scoop is not None and scoop.IS_RUNNING and scoop.MAIN_MODULE != MAIN_MODULE


@executor("scoop")
@dataclass(kw_only=True)
class Scoop(Executor):
    """Evaluate images in several processes, on one or more machines, with the package SCOOP.

    ``workers`` is the number of processes on this machine that evaluate, including this one; ``auto`` is one per core.
    In the mode ``chunks``, this process drives all runs, and the others evaluate parts of its batches. In the mode
    ``runs``, each process drives some of the runs. ``hosts`` is a file with one host name and number of workers per
    line. ``ssh`` is the command that reaches these hosts. ``python`` is their Python interpreter; it must have
    fooldeap. Model and plugins must have the same paths on all hosts. The run fails if a classifier takes longer than
    ``batch_timeout`` for a batch or a part of one; null means no limit. All sockets are unix sockets that no other
    user can reach. Source: Hold-Geoffroy, Gagnon and Parizeau, "Once you SCOOP, no need to fork" (2014).
    """

    workers: Annotated[int, Ge(1), Le(MOST_WORKERS)] | Literal["auto"] = "auto"
    mode: Literal["chunks", "runs"] = "chunks"
    hosts: Annotated[File, "command"] | None = None  # these hosts send back pickles, which can run code
    ssh: Command = "ssh"
    python: Command | None = None
    batch_timeout: Annotated[float, Gt(0), Le(1e6)] | None = 3600.0
    _pool: Any = field(default=None, init=False, repr=False)
    _work: Any = field(default=None, init=False, repr=False)

    @property
    def processes(self) -> int:
        """The number of processes that evaluate, including this one."""
        return 1 + sum(host.workers for host in self._hosts)

    @property
    def whole_runs(self) -> bool:
        """Whether whole runs are mapped."""
        return self.mode == "runs"

    def open(self, work: Any) -> None:
        """Start SCOOP and all workers, which load ``work`` at the same time as this process."""
        from ._pool import LaunchedPool, Pool

        threads = max(1, usable_cores() // self._local_processes)
        limit_threads(threads)
        self._work = work
        atexit.register(self.close)
        self._pool = LaunchedPool(threads) if is_launched_by_scoop() else Pool(work, self._hosts, self.ssh, self.python)

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        if self._pool is None or self._pool.closed:
            self.open(self._work)
        return iter(self._pool.map(function, items))

    @property
    def sent_again(self) -> int:
        """The number of tasks that were sent again because their worker was lost."""
        return 0 if self._pool is None else int(self._pool.sent_again)

    def complaints(self) -> list[str]:
        """Return a warning for each host whose workers did nothing."""
        return [] if self._pool is None else list(self._pool.complaints())

    def wait(self) -> None:
        """Wait until all workers are ready. Without this, the evaluation starts in this process alone."""
        self._pool.wait()

    def close(self) -> str:
        """Stop the workers and SCOOP, and return the output of the workers."""
        atexit.unregister(self.close)
        pool, self._pool = self._pool, None
        limit_threads(None)
        return "" if pool is None else str(pool.close())

    @cached_property
    def _hosts(self) -> list[Host]:
        """The hosts with the number of workers to start. This process counts as one worker of this machine."""
        if is_launched_by_scoop():
            return [this_machine(sys.modules["scoop"].SIZE - 1)]
        others = [] if self.hosts is None else read_hosts(self.hosts)
        listed = sum(host.workers for host in others if host.local)
        if listed and self.workers not in ("auto", listed):
            raise InputError(
                f"workers: got {self.workers}, but {self.hosts} lists {listed} for this machine; remove workers"
            )
        local_workers = listed or (usable_cores() if self.workers == "auto" else self.workers)
        ours = [this_machine(local_workers - 1)] if local_workers > 1 else []
        return ours + [host for host in others if not host.local]

    @property
    def _local_processes(self) -> int:
        return 1 + sum(host.workers for host in self._hosts if host.local)
