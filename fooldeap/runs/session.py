"""Experiments that are ready to run: loads and checks their classifier, opens the executor, lists the runs."""

import contextlib
import gc
import itertools
import traceback
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration.choices import loaded
from fooldeap.configuration.document import has_64_bits
from fooldeap.configuration.experiment import Experiment
from fooldeap.contract_checks import check_classifier, label_fault
from fooldeap.contracts import class_number
from fooldeap.engine.calibration import Calibration, calibrate
from fooldeap.engine.classifier_checks import Subject, targets_of, warnings_about
from fooldeap.engine.evaluation import Evaluator, Rows
from fooldeap.engine.evolution import Observer, Run, drive
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import FileError, FooldeapWarning, InputError, PluginError, RunError, blaming
from fooldeap.plugin import Classifier, Executor, Split, Toolbox
from fooldeap.results import RunInfo
from fooldeap.runs.dispatcher import Dispatcher
from fooldeap.runs.folder import Folder
from fooldeap.runs.worker_task import RunOutcome, WorkerTask
from fooldeap.storage.timings import Timings
from fooldeap.terminal_text import printable

MOST_RUNS = 1_000_000


class Session:
    """Experiments that share a classifier and an executor. `close` it, or use it in a ``with`` block.

    Parameters
    ----------
    experiments : the variants of a study by name, or a single experiment under the empty name
    classifier : a classifier in memory, used instead of the configured one
    strict : experiments whose rehearsal must not fail; in other rehearsals a plugin may fail, as it will in the run
    rows : number of images in a batch; None: the fastest number is measured. It does not change results: if the rows of
        a batch are not independent, the number is fixed
    calibration : an earlier calibration of the classifier; None: calibrate it now, and warn about problems

    Attributes
    ----------
    calibration : the calibration of the classifier
    runs : all runs over seeds and targets of the experiments, ordered by seed
    starts : by experiment, the digest of the first images of its first run
    first_batches : by experiment, the number of these images
    """

    def __init__(
        self,
        experiments: Mapping[str, Experiment],
        classifier: Classifier | None = None,
        *,
        strict: Collection[str] = (),
        rows: int | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.experiment = next(iter(experiments.values()))  # for all settings that the experiments share
        with self.experiment.blaming("classifier"):
            work = WorkerTask(experiments, classifier)
        self.executor: Executor = self.experiment.executor.build()
        try:
            with self.experiment.blaming("executor"):
                self.executor.open(work)
            with self.experiment.blaming("classifier"):
                check_classifier(work.classifier, str(self.experiment.classifier.plugin))
                self.dispatcher = Dispatcher(work, self.executor)
                _ = work.classifier.classes  # load it here, so that errors are attributed to the classifier
            self.evaluator = self.dispatcher.evaluator
            every = (run for name, each in experiments.items() for run in _runs(name, each, work.classifier))
            self.runs = tuple(sorted(self._few(every), key=lambda run: run.seed))
            self.calibration = calibration or self._calibrated(rows)
            self.evaluator.rows, self.evaluator.multiple = self.calibration.rows, self.calibration.multiple
            work.check_keep(self.calibration.depends_on)
            self.evaluator.queries.probes += getattr(work.classifier, "probed", 0)
            self.first_batches: dict[str, int] = {}
            self.starts = {name: self._rehearse(name, strict=name in strict) for name in experiments}
        except BaseException:
            self.close()
            raise
        self.width = self.experiment.concurrent_runs
        self.evaluator.depends_on = self.calibration.depends_on
        if self.calibration.depends_on != "image":
            self.width = self.evaluator.shares = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> str:
        """Stop the worker processes, and return their output."""
        with blaming(self.experiment.executor.plugin):
            return self.executor.close()

    @property
    def classifier(self) -> Classifier:
        """The classifier."""
        return self.dispatcher.task.classifier

    def most_evaluations(self, name: str) -> int:
        """Return about the largest number of evaluations of all runs of an experiment."""
        stop = self.dispatcher.task.experiments[name].stop
        most = self.first_batches.get(name, 0) * (stop.generations + 1)
        return sum(run.variant == name for run in self.runs) * min(most, stop.evaluations or most)

    def toolbox(self, info: RunInfo) -> Toolbox:
        """Return the toolbox of a run, with its random streams at their start."""
        decode = self.dispatcher.decoder(info)
        return self.dispatcher.task.toolbox(info, self.evaluator, decode=decode, map=self.executor.map)

    def replace_experiments(self, experiments: Mapping[str, Experiment]) -> None:
        """Replace the experiments by others with the same classifier and runs. The executor must be ``serial``.

        Raises
        ------
        InputError
            A run of an experiment cannot start.
        """
        self.dispatcher.task.replace_experiments(experiments)
        self.runs = tuple(run for name, each in experiments.items() for run in _runs(name, each, self.classifier))
        self.starts = {name: self._rehearse(name, strict=False) for name in experiments}

    def runs_of(self, experiment: Experiment) -> list[RunInfo]:
        """Return the runs of another experiment with the same classifier."""
        return list(_runs("", experiment, self.classifier))

    def evolve(
        self,
        runs: Sequence[RunInfo],
        journals: Path | None = None,
        observer: Observer | None = None,
        timings: Timings | None = None,
        log: QueryLog | None = None,
    ) -> Generator[RunOutcome, None, None]:
        """Evolve runs to their ends, and yield each run when it ends.

        ``concurrent_runs`` of them advance in lockstep. Each run has its journal below ``journals`` and continues after
        the journal's last record. ``observer`` receives the generations and the end of each run. ``log`` gets a row for
        each process that runs whole runs.
        """
        timings, observer = timings or Timings(), observer or Observer()
        answered_before = self.answered

        def tick(*, last: bool = False) -> None:
            timings.tick(self.answered - answered_before, last=last)

        def begin(info: RunInfo) -> Run:
            journal = journals and journals / info.journal
            run = self.dispatcher.run(info, journal=journal, observer=observer, clock=timings.of(info.label))
            observer.on_run_start(info, run.statistics.best)
            return run

        gc.freeze()  # exclude the classifier's million objects from garbage collection while runs evolve
        try:
            if self.executor.whole_runs:
                yield from self._pursue(runs, journals, observer, timings, tick, log)
                return
            isolate = self.dispatcher.task.isolates
            with contextlib.closing(
                drive(map(begin, runs), self.evaluator, self.width, tick, isolate=isolate)
            ) as driven:
                yield from map(RunOutcome.of, driven)
        finally:
            gc.unfreeze()
            tick(last=True)

    def _pursue(
        self,
        runs: Sequence[RunInfo],
        journals: Path | None,
        observer: Observer,
        timings: Timings,
        tick: Callable[[], None],
        log: QueryLog | None,
    ) -> Generator[RunOutcome, None, None]:
        """Distribute whole runs to the processes, and report each run when it has ended."""
        elapsed = {info: timings.elapsed(info.label) for info in runs}
        for pursued in self.dispatcher.pursue(runs, self.width, journals, elapsed, log):
            run = pursued if journals is None else pursued.moved(journals)
            for row in run.rows:
                observer.on_generation(run.info, row)
            if run.failure is None:
                observer.on_run_end(run.results)
            tick()
            yield run

    @property
    def answered(self) -> int:
        """Number of images of runs that the classifier has answered so far, in all processes."""
        return self.evaluator.queries.classifier + self.dispatcher.pursued

    def workers(self) -> str:
        """Return the number of images and the seconds of each process, as CSV."""
        done = sorted(self.dispatcher.done.items())
        rows = [f"{host},{process},{images},{seconds:.3f}" for (host, process), (images, seconds) in done]
        return "\n".join(["host,process,images,seconds", *rows]) + "\n"

    def _few(self, runs: Iterable[RunInfo]) -> list[RunInfo]:
        found = list(itertools.islice(runs, MOST_RUNS + 1))
        if len(found) > MOST_RUNS:
            raise self.experiment.error("seeds", f"gives more than {MOST_RUNS:,} runs; use fewer seeds or targets")
        return found

    def _rehearse(self, name: str, *, strict: bool) -> bytes:
        """Advance an experiment's first run to its second generation with made-up answers, then discard it.

        A run that cannot start, and most invalid combinations of parameters, therefore fail before a folder is created.
        Unless ``strict``, a plugin that breaks its contract is ignored here. It fails again in the run, which has a
        folder for its traceback.
        """
        experiment = self.dispatcher.task.experiments[name]
        info = next(run for run in self.runs if run.variant == name)
        with experiment.blaming("genome"):
            self.dispatcher.task.start(name)
        run = self.dispatcher.task.run(info, _Imagined(self.classifier))
        try:
            with experiment.blaming("algorithm"):
                begun = run.ask()
            with experiment.blaming("algorithm"), contextlib.suppress(*() if strict else (PluginError,)):
                if begun:
                    self.first_batches[name] = len(run.uncached())
                    answers = np.random.default_rng(0).normal(size=(self.first_batches[name], self.classifier.classes))
                    run.store(answers.astype(np.float32))
                    run.tell()
                    run.finish_generation()
                if not run.stopped:
                    run.ask()
            return run.start
        finally:
            run.close()

    def _calibrated(self, rows: int | None) -> Calibration:
        """Calibrate the classifier, and warn if it was probably loaded wrongly."""
        with self.experiment.blaming("classifier"):
            found = calibrate(self.evaluator, rows)
        data = self._dataset()
        with self.experiment.blaming("classifier"):
            subject = Subject(self.evaluator, found, data)
            found = found._replace(warnings=tuple(warnings_about(subject)), accuracy=subject.accuracy)
        for text in found.warnings:
            warn(text)
        return found

    def _dataset(self) -> Split | None:
        """Return the experiment's dataset, or None if it names none.

        Raises
        ------
        InputError
            The dataset does not fit the classifier.
        """
        experiment, classifier = self.experiment, self.classifier
        if experiment.dataset is None:
            return None
        with experiment.blaming("dataset"):
            data = loaded(experiment.dataset)
        shape = data.test_images.shape[1:]
        if shape != classifier.input_shape:
            sizes = f"its images are {shape}, the classifier takes {classifier.input_shape}"
            raise experiment.error("dataset", f"{sizes}; leave 'dataset' out, or name one of such images")
        for part, labels in (("training", data.train_labels), ("test", data.test_labels)):
            fault = label_fault(labels, len(labels), part, classifier.classes)
            if fault:
                name = experiment.dataset.plugin.name
                raise experiment.error(
                    "dataset",
                    f"{name!r} holds {fault}, which the classifier has; leave 'dataset' out",
                )
        return data


class _Imagined(Evaluator):
    """An evaluator with made-up gradients, so that a rehearsal shows the classifier no images."""

    def gradients(self, batches: Sequence[tuple[Rows, int]]) -> list[NDArray[np.float32]]:
        super().gradients([])  # raises an error if the classifier has no gradients
        shapes = [(len(batch), *batch.images.shape[1:]) for batch, _ in batches]
        return [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in shapes]


def _runs(variant: str, experiment: Experiment, classifier: Classifier) -> Iterator[RunInfo]:
    """Yield the runs over seeds and targets.

    Raises
    ------
    InputError
        The classifier does not have these classes, or a seed has more than 64 bits.
    """
    targets, classes = experiment.targets, classifier.classes
    try:
        numbers = targets_of(classifier) if targets == "all" else [class_number(each, classifier) for each in targets]
        wanted = tuple(numbers)
    except InputError as error:
        raise experiment.error("targets", str(error)) from None
    if len(set(wanted)) < len(wanted):
        raise experiment.error("targets", "names a class twice, expected each target once")
    beyond = [target for target in wanted if target >= classes]
    if beyond:
        raise experiment.error("targets", f"got {beyond[0]}, expected classes from 0 to {classes - 1}")
    jointly = experiment.algorithm.plugin.options["targets"] == "all"
    together = [wanted] if jointly else [(target,) for target in wanted]
    seeds = range(experiment.seed, experiment.seed + experiment.seeds)
    if not has_64_bits(seeds[-1]):
        raise experiment.error("seed", f"got {experiment.seed}, so that the last of the seeds has more than 64 bits")
    for seed in seeds:
        yield from (RunInfo(seed, each, variant) for each in together)


def left_behind(error: BaseException, folder: Folder, command: str, also: str = "") -> BaseException:
    """Write the traceback of an error to the folder. Return an error that names this file and the command to resume.

    ``also`` is the end of the message.
    """
    told, first = printable("".join(traceback.format_exception(error))), _first(error)
    if isinstance(first, KeyboardInterrupt):
        return KeyboardInterrupt(f"interrupted; to continue: {command} {folder.path}")
    if isinstance(first, FileError):
        return FileError(str(first))  # not an error in a program, so a traceback does not help
    if not isinstance(first, RunError | InputError | OSError):
        return first
    # An input error this late must not suggest that nothing was written, so it becomes a `RunError`.
    failure = type(first) if isinstance(first, RunError) else RunError
    try:
        log = folder.write("error.log", told)
    except RunError as unwritten:
        return failure(f"{first}; its traceback is lost: {unwritten}")
    return failure(f"{first}; the traceback is in {log}; resume with: {command} {folder.path}{also}")


def _first(error: BaseException) -> BaseException:
    """Return the first error if all later ones are files that could not be written."""
    first, before = error, error.__context__
    while isinstance(first, FileError) and before is not None:
        if isinstance(before, Exception | KeyboardInterrupt) and not isinstance(before, OSError):
            first = before
        before = before.__context__
    return first


def warn(message: str) -> None:
    """Show the user a warning that does not stop the work."""
    warnings.warn(message, FooldeapWarning, stacklevel=3)
