"""Evaluation by several processes, on this machine and on others, by SCOOP."""

import atexit
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from fooldeap.plugin import Command, Executor, File, Ge, Gt, InputError, Le, dataclass, executor, field
from fooldeap.quiet import limit_threads

from ._hosts import MOST_WORKERS, Host, here, read

OURS = "fooldeap"  # what SCOOP is told is the main module, where its launcher has no part


def launched() -> bool:
    """Tell whether SCOOP's own launcher started this process: ``python -m scoop``."""
    scoop = sys.modules.get("scoop")
    return scoop is not None and scoop.IS_RUNNING and scoop.MAIN_MODULE != OURS


@executor("scoop")
@dataclass(kw_only=True)
class Scoop(Executor):
    """Evaluate in several processes by SCOOP, on this machine and on others.

    Hold-Geoffroy, Gagnon and Parizeau, "Once you SCOOP, no need to fork" (2014). ``workers`` counts the processes that
    evaluate on this machine, this one included; ``auto``: one a core. In ``mode: chunks`` this process drives the runs
    and the others answer parts of its batches; in ``mode: runs`` each drives some of the runs. ``hosts`` is a file with
    a host name and a number of workers a line, reached by ``ssh`` (a command with its options), where ``python`` has
    fooldeap, the model and the plugins under the same paths. A classifier that takes longer than ``seconds_a_batch``
    for a batch, or its part of one, is taken to hang, and the run ends; null: it is waited for.
    Nothing listens but unix sockets that no other user of a machine can reach.
    """

    workers: Annotated[int, Ge(1), Le(MOST_WORKERS)] | Literal["auto"] = "auto"
    mode: Literal["chunks", "runs"] = "chunks"
    hosts: Annotated[File, "command"] | None = None  # whoever is named there is sent work, and may answer with code
    ssh: Command = "ssh"
    python: Command | None = None
    seconds_a_batch: Annotated[float, Gt(0), Le(1e6)] | None = 3600.0
    _pool: Any = field(default=None, init=False, repr=False)
    _work: Any = field(default=None, init=False, repr=False)

    @property
    def processes(self) -> int:
        """How many processes work, this one included."""
        return 1 + sum(host.workers for host in self._elsewhere)

    @property
    def whole_runs(self) -> bool:
        """Whether whole runs are mapped."""
        return self.mode == "runs"

    def open(self, work: Any) -> None:
        """Start SCOOP and all workers, which load ``work`` while this process does."""
        from ._pool import Launched, Pool

        threads = max(1, len(os.sched_getaffinity(0)) // self._local)
        limit_threads(threads)
        self._work = work
        atexit.register(self.close)
        self._pool = Launched(threads) if launched() else Pool(work, self._elsewhere, self.ssh, self.python)

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order, wherever they were computed."""
        if self._pool is None or self._pool.closed:
            self.open(self._work)
        return iter(self._pool.map(function, items))

    @property
    def sent_again(self) -> int:
        """How many tasks a worker had that was lost."""
        return 0 if self._pool is None else int(self._pool.sent_again)

    def complaints(self) -> list[str]:
        """Return a line for each host whose workers did nothing."""
        return [] if self._pool is None else list(self._pool.complaints())

    def wait(self) -> None:
        """Wait until all workers are ready; without it this process begins alone."""
        self._pool.wait()

    def close(self) -> str:
        """Stop the workers and SCOOP, and return what the workers said."""
        atexit.unregister(self.close)
        pool, self._pool = self._pool, None
        limit_threads(None)
        return "" if pool is None else str(pool.close())

    @cached_property
    def _elsewhere(self) -> list[Host]:
        """The hosts with the workers to start there; this process is one of this machine's."""
        if launched():
            return [here(sys.modules["scoop"].SIZE - 1)]
        others = [] if self.hosts is None else read(self.hosts)
        listed = sum(host.workers for host in others if host.local)
        if listed and self.workers not in ("auto", listed):
            raise InputError(f"workers: got {self.workers}, but {self.hosts} gives this machine {listed}; say it once")
        here_too = listed or (len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers)
        ours = [here(here_too - 1)] if here_too > 1 else []
        return ours + [host for host in others if not host.local]

    @property
    def _local(self) -> int:
        return 1 + sum(host.workers for host in self._elsewhere if host.local)
