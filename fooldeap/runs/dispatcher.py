"""Distributes batches, genomes and whole runs to processes. Used in the process that started the experiment."""

import functools
import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooldeap.contract_checks import described
from fooldeap.engine.evaluation import ROWS, Evaluator, Query
from fooldeap.engine.evolution import Run
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import PluginError, RunError, blaming
from fooldeap.plugin import Array, Batch, Executor, Images
from fooldeap.results import RunInfo
from fooldeap.runs.worker_task import TOKEN, RunGroup, RunOutcome, TaskResult, WorkerId, WorkerTask, here
from fooldeap.storage.files import remove, write_whole

PIECES = 2  # chunks per process, so that a process that finishes early can take another one
FULL, MANY = 4, 16  # size of a group in widths; minimum number of widths at which groups become that large


class Dispatcher:
    """Distributes the work of an experiment with its executor, and counts the work of each process.

    Attributes
    ----------
    done : by `WorkerId`, the number of images shown there (including padding) and the seconds that this took
    pursued : number of images that the classifier answered in processes that ran whole runs
    """

    def __init__(self, work: WorkerTask, executor: Executor) -> None:
        self.task, self.executor = work, executor
        self.done: dict[WorkerId, tuple[int, float]] = {}
        self.pursued = 0
        self._probed = {here()}
        self._here = here()
        shares = executor.processes * PIECES if executor.processes > 1 else 1
        self.evaluator = Evaluator(work.classifier, work.limit, self._ask, shares)

    def run(self, info: RunInfo, **arguments: Any) -> Run:
        """Return a run at its start, as `WorkerTask.run` does."""
        return self.task.run(info, self.evaluator, decode=self.decoder(info), **arguments)

    def decoder(self, info: RunInfo) -> Callable[[Batch], Images] | None:
        """Return a function that decodes a run's genomes in parallel, or None if this does not save time."""
        costly = getattr(self.task.experiments[info.variant].genome.plugin.target, "costly", False)
        return functools.partial(self._decoded, info.variant) if costly and self.executor.processes > 1 else None

    def pursue(
        self,
        infos: Sequence[RunInfo],
        width: int,
        journals: Path | None,
        elapsed: dict[RunInfo, float],
        log: QueryLog | None = None,
    ) -> Iterator[RunOutcome]:
        """Distribute whole runs to the processes. Yield each run when its group has ended."""
        if not infos:
            return
        # Make as few groups as there are processes if possible: batches of more runs have less padding.
        processes = self.executor.processes
        # With very many runs, a group has more runs than advance together: when one ends, the next one starts.
        groups_each = math.ceil(len(infos) / (processes * width * (FULL if len(infos) > MANY * width else 1)))
        size = math.ceil(len(infos) / (processes * groups_each))
        journals = journals and journals.resolve()  # another process may have another current folder
        token = secrets.token_hex(8)
        if journals is not None:
            write_whole(journals / TOKEN, token.encode())
        try:
            groups = [
                RunGroup(
                    tuple(infos[start : start + size]),
                    width,
                    self.evaluator.rows,
                    journals,
                    token,
                    elapsed,
                    None if log is None else log.add_row(),
                    self.evaluator.depends_on,
                    self.evaluator.multiple,
                )
                for start in range(0, len(infos), size)
            ]
            for pursued in self._map(self.task.pursue, groups):
                self.pursued += pursued.queries.classifier
                if not pursued.recorded:  # a worker on another machine cannot write to the folder
                    self.evaluator.queries.add(pursued.queries)
                yield from pursued.ended
        finally:
            if journals is not None:
                remove(journals / TOKEN)

    def _ask(self, queries: list[Query]) -> Iterator[Array]:
        # It is unknown how many images of a chunk a lost worker had shown.
        return self._map(self.task.ask, queries, uncertain=self.evaluator.rows)

    def _decoded(self, variant: str, genomes: Batch) -> Images:
        size = math.ceil(len(genomes) / (PIECES * self.executor.processes))
        parts = [(variant, genomes[start : start + size]) for start in range(0, len(genomes), size)]
        return np.concatenate(list(self._map(self.task.decode, parts)))

    def _map(self, function: Callable[[Any], TaskResult], items: Sequence[Any], uncertain: int = 0) -> Iterator[Any]:
        """Yield the values of the executor's results, one for each item, and count the work of each process.

        ``uncertain`` is the number of images to count for each item that was sent again.
        """
        plugin, missing, sent_again = self.task.experiment.executor.plugin, len(items), self.executor.sent_again
        with blaming(plugin):
            for done in self.executor.map(function, items):
                if not isinstance(done, TaskResult):
                    raise PluginError(
                        f"{plugin} returned {described(done)}, expected the results of the function that it maps"
                    )
                missing -= 1
                if missing < 0:
                    break
                self._count(done)
                yield done.value
        if missing:
            few = "fewer" if missing > 0 else "more"
            raise PluginError(f"{plugin} returned {few} results than there were items, {len(items)}")
        self.evaluator.queries.uncertain += (self.executor.sent_again - sent_again) * uncertain

    def _count(self, done: TaskResult) -> None:
        self._count_probes(done.place)
        if done.place != self._here and done.probe != self.task.probe:
            raise RunError(
                f"{done.place} computes other bits than {self._here} with the same classifier: another kind of "
                "processor or another version of its library; leave it out"
            )
        images, seconds = self.done.get(done.place, (0, 0.0))
        self.done[done.place] = images + done.images, seconds + done.seconds

    def _count_probes(self, place: WorkerId) -> None:
        """Count the probes that compare the classifier's bits in another process with those in this process."""
        if place not in self._probed and not self.evaluator.billable:
            self.evaluator.queries.probes += ROWS * (2 if len(self._probed) == 1 else 1)
            self.evaluator.queries.probes += getattr(self.task.classifier, "probed", 0)
            self._probed.add(place)
