"""Runs, step by step, each alone or many in lockstep. The algorithm of a run is a generator.

An algorithm yields genomes and receives a `Reply`. This module does the rest for every algorithm and plugin: decoding,
evaluation, budgets, stop criteria, the log, and the journal that makes every run resumable.
"""

import contextlib
import itertools
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np

from fooldeap import contract_checks
from fooldeap.configuration.choices import Checked
from fooldeap.configuration.experiment import Experiment
from fooldeap.configuration.stopping import reason_to_stop
from fooldeap.contract_checks import described
from fooldeap.contracts import read_only
from fooldeap.engine.evaluation import Batch, Cache, Evaluator, Rows
from fooldeap.engine.run_files import RunFiles
from fooldeap.engine.run_statistics import RunStatistics, alone
from fooldeap.engine.toolboxes import stream
from fooldeap.errors import FileError, FooldeapError, FooldeapWarning, InputError, OvertimeError, PluginError, raised_by
from fooldeap.plugin import Array, Ask, BestYet, Evolution, Images, Predictions, Reply, Toolbox
from fooldeap.results import LogRow, RunInfo, RunResult
from fooldeap.storage.journal import Answer, Journal


class Observer:
    """Receives the events of a run. This base class ignores them. ``reads_log``: whether it uses `on_generation`."""

    reads_log = True

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Handle the start of the run; see `fooldeap.plugin.Reporter`."""

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Handle one generation; called once for each target."""

    def on_run_end(self, results: list[RunResult]) -> None:
        """Handle the end of the run."""


class UnrecordedError(PluginError):
    """A run that is replayed shows other images than its journal records."""


class Run:
    """One run: an algorithm with its seed and targets.

    Parameters
    ----------
    info : seed and targets
    experiment : the configuration
    toolbox : the toolbox of this run, see `fooldeap.engine.toolboxes.build`
    evaluator : asks the classifier; `fooldeap.engine.evolution.drive` asks it about the images of all runs together
    journal : records the answers, and replays those it already has; None records nothing
    observer : receives every log row and the end of the run
    clock : returns the seconds that the run has taken, for ``stop.seconds``
    files : the files of log and snapshots; None keeps both in memory
    """

    def __init__(
        self,
        info: RunInfo,
        experiment: Experiment,
        toolbox: Toolbox,
        evaluator: Evaluator,
        journal: Journal | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        files: RunFiles | None = None,
    ) -> None:
        self.info = info
        self.statistics = RunStatistics(info, experiment.stop, clock, evaluator.confidence_kind, files, experiment.keep)
        self.stopped: str | None = None
        self.failure: FooldeapError | None = None
        self.start = b""  # the digest of the first batch
        self._plugin = experiment.algorithm.plugin
        self._own_statistics = {
            choice.plugin.name: Checked(choice.plugin, contract_checks.statistic, choice.build())
            for choice in experiment.statistics
        }
        self._toolbox, self._evaluator = toolbox, evaluator
        self._journal, self._clock = journal, clock
        self._observer = observer or Observer()
        self._cache = Cache()
        self._evolution: Evolution = experiment.algorithm.build()(toolbox, stream(info.seed, info.targets, "algorithm"))
        if not hasattr(self._evolution, "send"):
            raise PluginError(f"{self._plugin} is not a generator; it must yield genomes: reply = yield genomes")
        self._reply: Reply
        self._ask: Ask
        self._images: Images
        self._batch: Batch
        self._recorded: Answer | None = None
        self._final: dict[int, Any] = {}  # by target, the logits of its final image alone
        self._logits: list[Any] = []  # of the new images, query by query
        self._gradient: Any = None

    def ask(self) -> bool:
        """Advance the algorithm to its next images. Return False if the run ended instead."""
        self._clock()  # the first call starts the clock
        ask = self._next_ask()
        if ask is None:
            self._end("finished")
            return False
        self._ask, self._images = ask, self._toolbox.decode(ask.genomes)
        return True

    def uncached(self) -> Rows:
        """Return the images that the classifier must answer; may be empty."""
        self._batch = self._cache.lookup(self._images, gradient=self._ask.gradient)
        if self.statistics.left is not None:
            self._batch = self._batch.cut(self.statistics.left)
        self.start = self.start or self._batch.digest
        self.statistics.look(self._batch.images)
        self._recorded = self._from_journal()
        self._logits = [] if self._recorded is None else [self._recorded.logits]
        self._gradient = None if self._recorded is None else self._recorded.gradient
        return Rows(self._batch.images, self._batch.new[self._answered() :])

    def reproduced(self) -> bool:
        """Return whether the classifier answers the new images as recorded in the journal."""
        (logits,) = self._evaluator.logits([Rows(self._batch.images, self._batch.new)])
        return self._recorded is not None and np.array_equal(logits, self._recorded.logits)

    def store(self, logits: Any) -> None:
        """Record the answer to the next new images, before another query starts."""
        if self._recorded is not None and self._recorded.complete:
            return
        self._logits.append(logits)
        complete = self._answered() == len(self._batch.new) and not self._keeps_gradient
        if self._journal is not None and (complete or len(logits)):
            self._journal.write_answer(Answer(self._batch.digest, logits, complete=complete))

    @property
    def wants_gradient(self) -> bool:
        """Whether the algorithm has asked for the gradient of the new images, and it is still missing."""
        return self._ask.gradient and self._gradient is None

    def for_gradient(self) -> tuple[Rows, int]:
        """Return the new images and the target."""
        return Rows(self._batch.images, self._batch.new), self.info.targets[0]

    def store_gradient(self, gradient: Array) -> None:
        """Keep the gradient of the new images. It is recorded only if it cannot be computed again."""
        self._gradient = gradient
        recorded = self._recorded is not None and self._recorded.complete
        if self._journal is not None and self._keeps_gradient and not recorded:
            # The logits are recorded before, so that they are not lost if the process is killed between both queries.
            none = np.empty((0, self._evaluator.classifier.classes), np.float32)
            self._journal.write_answer(Answer(self._batch.digest, none, gradient))

    def tell(self) -> None:
        """Send the answers to the algorithm, both replayed and new ones."""
        if self.wants_gradient:
            (found,) = self._evaluator.gradients([self.for_gradient()])
            self.store_gradient(found)
        self._count()
        logits = self._logits[0] if len(self._logits) == 1 else np.concatenate(self._logits)
        everything, gradient = self._cache.answer(self._batch, logits, self._shaped_gradient())
        predictions = Predictions(everything, self._batch.images, self._evaluator.confidence_kind)
        self._reply = Reply(predictions, self.info.targets, self._toolbox.fitness, gradient)
        if self._toolbox.lineage is not None:
            self._toolbox.lineage.evaluate(self._ask.genomes, self._reply.fitness)

    def finish_generation(self) -> None:
        """Record the generation, and end the run if a stop criterion holds."""
        rows = self.statistics.enter(self._batch, self._reply, self._computed_statistics())
        if self._observer.reads_log:
            for row in rows:
                self._observer.on_generation(self.info, row)
        reason = self._stop_reason()
        if reason is not None:
            self._end(reason)

    def _computed_statistics(self) -> dict[str, list[float]]:
        """Return the values of the plugins of ``statistics`` for this generation, one for each target."""
        if not self._own_statistics:
            return {}
        genomes = self._ask.genomes[: len(self._batch.digests)]  # the budget may have cut the batch
        if isinstance(genomes, np.ndarray):
            genomes = read_only(genomes)
        fitness = [read_only(self._reply.of(target)) for target in self.info.targets]
        return {name: [float(own(genomes, each)) for each in fitness] for name, own in self._own_statistics.items()}

    def results(self) -> list[RunResult]:
        """Return the results of an ended run, one for each target.

        If answers depend on the batch, they report the confidence of the final image alone.
        """
        results = self.statistics.results(self.stopped or "interrupted")
        return [self._alone(each) for each in results] if self._evaluator.depends_on == "batch" else results

    def _alone(self, result: RunResult) -> RunResult:
        target, images = result.target, result.image.pixels[None]
        if target not in self._final:
            with contextlib.suppress(FooldeapError):  # some models fail on a single image; a warning has said so
                self._final[target] = self._evaluator.probe(images)
        if target not in self._final:
            return result
        shown = Predictions(self._final[target], images, self._evaluator.confidence_kind)
        fitness = float(np.ravel(self._toolbox.fitness(shown, target))[0])
        return alone(result, shown, fitness, self.statistics.stop)

    def attempt(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Call a step. If a plugin of the run fails, the run ends as failed, and None is returned."""
        try:
            return step(*arguments)
        except (PluginError, InputError) as error:
            self.stopped, self.failure = "failed", error
            self.close()
            return None

    def close(self) -> None:
        """Close the generator and the journal. The run can be resumed from the journal."""
        with contextlib.suppress(Exception, SystemExit):  # errors while the generator closes are ignored
            self._evolution.close()
        if self.stopped is None:  # interrupted
            self.statistics.close()
        if self._journal is not None:
            self._journal.close()

    def _next_ask(self) -> Ask | None:
        self._toolbox.generation = self.statistics.generation + 1
        try:
            asked = next(self._evolution) if self.statistics.generation < 0 else self._evolution.send(self._reply)
        except StopIteration:
            if self.statistics.generation < 0:
                raise PluginError(f"{self._where()} ended before it yielded anything; it must yield genomes") from None
            return None
        except FooldeapError as error:
            raise type(error)(f"{self._where()}: {error}") from error
        except (Exception, SystemExit) as error:
            raise raised_by(self._where(), error) from error
        ask = asked if isinstance(asked, Ask) else Ask(asked)
        if ask.gradient and len(self.info.targets) > 1:
            raise PluginError(f"{self._where()} asks for a gradient, which is for runs with one target: targets='one'")
        if not isinstance(ask.genomes, np.ndarray | list) or len(ask.genomes) == 0:
            raise PluginError(f"{self._where()} yielded {described(ask.genomes)}, expected at least one genome")
        if isinstance(ask.genomes, np.ndarray) and ask.genomes.dtype.kind == "f" and not np.isfinite(ask.genomes).all():
            raise PluginError(f"{self._where()} yielded genomes that are not finite numbers")
        return ask

    def _from_journal(self) -> Answer | None:
        journal, batch = self._journal, self._batch
        recorded = journal.next_answer() if journal is not None else None
        if journal is None or recorded is None:
            return None
        if recorded.digest == batch.digest and _fits(recorded, len(batch.new)):
            return recorded
        if not journal.replaying and _is_cut(recorded, batch):
            # The budget was extended. If answers depend on the batch, the whole batch is evaluated again.
            rows = recorded.logits[: 0 if self._evaluator.depends_on == "batch" else None]
            journal.continue_last(rows)
            return Answer(batch.digest, rows, complete=False)
        raise UnrecordedError(
            f"{journal.path}: generation {self.statistics.generation + 1} is not the one recorded: a plugin "
            "or library changed, or draws randomness from elsewhere than rng; restore them, or start a new run"
        )

    def _count(self) -> None:
        """Count the images answered by cache and journal. The evaluator counts the rest."""
        queries = self._evaluator.queries
        queries.cache += len(self._batch.digests) - len(self._batch.new)
        queries.journal += 0 if self._recorded is None else len(self._recorded.logits)

    @property
    def _keeps_gradient(self) -> bool:
        return self._ask.gradient and self._evaluator.keeps_gradients

    def _answered(self) -> int:
        """Return how many of the new images of this batch have an answer."""
        return sum(map(len, self._logits))

    def _shaped_gradient(self) -> Any:
        shape = len(self._batch.new), *self._batch.images.shape[1:]
        return None if self._gradient is None else self._gradient.reshape(shape)

    def _stop_reason(self) -> str | None:
        """Return why the run ends now, or None. The journal records the reasons that a replay cannot compute."""
        journal, statistics = self._journal, self.statistics
        replaying = journal is not None and journal.replaying
        reason = reason_to_stop(statistics.stop, statistics, replaying=replaying)
        if reason is None:
            return journal.recorded_end() if journal is not None and replaying else None
        if journal is not None and not reason.replayable:
            journal.write_end(reason.name)
        return reason.name

    def _end(self, reason: str) -> None:
        self.stopped = reason
        self.close()
        self._observer.on_run_end(self.results())

    def _where(self) -> str:
        return f"{self._plugin} at generation {self.statistics.generation + 1} of {self.info.label}"


def _fits(recorded: Answer, new: int) -> bool:
    """Return whether an answer has ``new`` rows. An incomplete answer may have fewer."""
    return len(recorded.logits) == new if recorded.complete else len(recorded.logits) <= new


def _is_cut(recorded: Answer, batch: Batch) -> bool:
    """Return whether an answer belongs to the first rows of a batch, which a smaller budget had cut."""
    rows = len(recorded.logits)
    lengths = range(rows, rows + 1 if recorded.complete else len(batch.new))
    return any(batch.cut(length).digest == recorded.digest for length in lengths)


def drive(
    runs: Iterable[Run],
    evaluator: Evaluator,
    width: int,
    on_batch: Callable[[], None] = lambda: None,
    *,
    isolate: bool = False,
) -> Generator[Run, None, None]:
    """Advance runs together, at most ``width`` at a time, and yield each run when it ends.

    ``runs`` is a queue. When a run ends, the next one starts, so that batches stay full. A run that fails ends alone,
    see `Run.failure`. With ``isolate``, a run whose images make the classifier fail also ends alone.
    """
    waiting, active = iter(runs), list[Run]()
    try:
        while True:
            active += itertools.islice(waiting, width - len(active))
            if not active:
                return
            # All runs take a step before the next step starts: this uses the processor's caches better.
            asked = [run for run in active if run.attempt(run.ask)]
            unseen = [(run, rows) for run in asked if (rows := run.attempt(run.uncached)) is not None]
            for query in evaluator.split(unseen):
                try:
                    answers: Sequence[Any] = evaluator.logits([rows for _, rows in query])
                except PluginError as error:
                    if not isolate:
                        raise
                    answers = _ask_one_by_one(query, evaluator, error)
                for (run, _), logits in zip(query, answers, strict=True):
                    if logits is not None:
                        run.attempt(run.store, logits)
            _ask_for_gradients([run for run in asked if not run.stopped and run.wants_gradient], evaluator)
            for step in (Run.tell, Run.finish_generation):
                for run in asked:
                    if not run.stopped:
                        run.attempt(step, run)
            on_batch()
            ended, active = [run for run in active if run.stopped], [run for run in active if not run.stopped]
            yield from ended
    finally:
        _close(active)


def _ask_one_by_one(query: Sequence[tuple[Run, Rows]], evaluator: Evaluator, error: PluginError) -> list[Any]:
    """Return the answers to a query that failed. The answer is None for a run whose images cause the failure.

    Raises
    ------
    PluginError
        The classifier also fails on other images, so no run is the cause. Or it is too slow or too expensive to be
        asked again.
    """
    if isinstance(error, OvertimeError) or evaluator.billable:
        raise error
    found = [run.attempt(evaluator.logits, [rows]) for run, rows in query]
    if not any(found) and not evaluator.answers_black():
        raise error
    if all(found):
        again = "the same images, shown run by run, were answered, so the runs continue"
        warnings.warn(f"{error}; {again}", FooldeapWarning, stacklevel=2)
    return [answers and answers[0] for answers in found]


def _ask_for_gradients(runs: Sequence[Run], evaluator: Evaluator) -> None:
    """Compute the gradients of several runs together. After an error, each run asks alone, see `Run.tell`."""
    if len(runs) > 1 and evaluator.shares_gradients:
        try:
            found = evaluator.gradients([run.for_gradient() for run in runs])
        except PluginError as error:
            if isinstance(error, OvertimeError):
                raise
            return
        for run, gradient in zip(runs, found, strict=True):
            run.store_gradient(gradient)


def _close(runs: Iterable[Run]) -> None:
    """Close all runs, even if the journal of one run cannot be written."""
    failure = None
    for run in runs:
        try:
            run.close()
        except FileError as error:
            failure = failure or error
    if failure is not None:
        raise failure
