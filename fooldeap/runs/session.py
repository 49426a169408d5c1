"""Experiments ready to be evolved: their classifier loaded and checked, those who help at hand, their runs known."""

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
from fooldeap.contract_checks import label_fault
from fooldeap.engine.calibration import BY_CHANCE, Calibration, calibrate
from fooldeap.engine.evaluation import Evaluator
from fooldeap.engine.evolution import Observer, Run
from fooldeap.engine.lockstep import drive
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import FileError, FooldeapWarning, InputError, PluginError, RunError, blaming
from fooldeap.formatting import level
from fooldeap.plugin import Array, Classifier, Executor, Images, Split, Toolbox
from fooldeap.results import RunInfo
from fooldeap.runs.dispatcher import Dispatcher
from fooldeap.runs.folder import Folder
from fooldeap.runs.worker_task import RunOutcome, WorkerTask
from fooldeap.storage.files import make_folders, write_whole
from fooldeap.storage.timings import Timings
from fooldeap.terminal_text import printable

MOST_RUNS = 1_000_000
BADLY_LOADED = 0.5  # accuracy below which a model is hardly what its owner takes it for
ACCURACY_IMAGES = 2000
FAR_APART = 300  # logits of noise; a softmax is 0 or 1 in float32 where they are 104 apart
_WHY_ALONE = {
    "batch": "this classifier's answer to an image depends on the rest of its batch",
    "chance": f"{BY_CHANCE} (added noise? dropout left on?), so no result of it can be reproduced: a resumed run ends "
    "in other bits, and verify does not hold",
}


class Session:
    """Experiments that share a classifier and an executor. `close` it, or use it in a ``with`` block.

    Parameters
    ----------
    experiments : the variants of a study by name, or the only experiment under the empty name
    classifier : one in memory, in place of the one configured
    strict : experiments whose rehearsal must not fail; in that of others a plugin may, as it will in the run
    rows : how many images go through the classifier at a time; None: what is found to be fastest. It changes no bit;
        where the rows of a batch are not independent, their number is fixed
    calibration : what was found out about the classifier before; None: it is found out, and doubts are told

    Attributes
    ----------
    calibration : what is known of the classifier
    runs : over the experiments' seeds and targets, seed by seed
    starts : by experiment, what identifies the images that its first run begins with
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
        self.experiment = next(iter(experiments.values()))  # for all that the experiments have in common
        with self.experiment.blaming("classifier"):
            work = WorkerTask(experiments, classifier)
        self.executor: Executor = self.experiment.executor.build()
        try:
            with self.experiment.blaming("executor"):
                self.executor.open(work)
            with self.experiment.blaming("classifier"):
                work.timed.check()
                self.dispatcher = Dispatcher(work, self.executor)
                _ = work.classifier.classes  # loaded here, where what is wrong with it is laid at its door
            self.evaluator = self.dispatcher.evaluator
            every = (run for name, each in experiments.items() for run in _runs(name, each, work.classifier))
            self.runs = tuple(sorted(self._few(every), key=lambda run: run.seed))
            self.calibration = calibration or self._calibrated(rows)
            self.evaluator.rows = self.calibration.rows
            self.starts = {name: self._rehearse(name, strict=name in strict) for name in experiments}
        except BaseException:
            self.close()
            raise
        self.width = self.experiment.concurrent_runs
        if self.calibration.depends_on != "image":
            self.width = self.evaluator.shares = 1
            if calibration is None:
                warn(f"{_WHY_ALONE[self.calibration.depends_on]}; runs are evaluated one by one")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> str:
        """Let the helping processes go, and return what they said."""
        with blaming(self.experiment.executor.plugin):
            return self.executor.close()

    @property
    def classifier(self) -> Classifier:
        """The classifier."""
        return self.dispatcher.task.classifier

    def toolbox(self, info: RunInfo) -> Toolbox:
        """Return the toolbox of a run, its random streams at their beginning."""
        return self.dispatcher.toolbox(info)

    def evolve(
        self,
        runs: Sequence[RunInfo],
        journals: Path | None = None,
        observer: Observer | None = None,
        timings: Timings | None = None,
        log: QueryLog | None = None,
    ) -> Generator[RunOutcome, None, None]:
        """Evolve runs to their ends, as many in lockstep as the experiments say, and yield each when it ended.

        Each has its journal below ``journals``, and goes on where that ends. ``observer`` is told of its generations
        and of its end. ``log`` gets a row for each process that pursues whole runs.
        """
        timings, observer = timings or Timings(), observer or Observer()
        answered_before = self.answered

        def tick(*, last: bool = False) -> None:
            timings.tick(self.answered - answered_before, last=last)

        gc.freeze()  # the classifier's million objects need not be looked through for garbage while we evolve
        try:
            way = (
                self._pursue(runs, journals, observer, timings, tick, log)
                if self.executor.whole_runs
                else self._drive(runs, journals, observer, timings, tick)
            )
            with contextlib.closing(way) as ended:
                yield from ended
        finally:
            gc.unfreeze()
            tick(last=True)

    def _drive(
        self,
        runs: Sequence[RunInfo],
        journals: Path | None,
        observer: Observer,
        timings: Timings,
        tick: Callable[[], None],
    ) -> Generator[RunOutcome, None, None]:
        """Drive all runs in lockstep here; the others answer batches."""

        def begun(info: RunInfo) -> Run:
            journal = journals and journals / info.journal
            run = self.dispatcher.run(info, journal=journal, observer=observer, clock=timings.of(info.label))
            observer.on_run_start(info, run.statistics.best)
            return run

        isolate = self.dispatcher.task.isolates
        with contextlib.closing(drive(map(begun, runs), self.evaluator, self.width, tick, isolate=isolate)) as driven:
            for run in driven:
                yield RunOutcome.of(run, [])

    def _pursue(
        self,
        runs: Sequence[RunInfo],
        journals: Path | None,
        observer: Observer,
        timings: Timings,
        tick: Callable[[], None],
        log: QueryLog | None,
    ) -> Generator[RunOutcome, None, None]:
        """Let everybody drive some of the runs, and report each when it has ended."""
        elapsed = {info: timings.elapsed(info.label) for info in runs}
        for run in self.dispatcher.pursue(runs, self.width, journals, elapsed, log):
            if journals is not None and run.journal is not None:
                path = journals / run.info.journal
                make_folders(journals, path.parent)
                write_whole(path, run.journal)
            for row in run.rows:
                observer.on_generation(run.info, row)
            if run.failure is None:
                observer.on_run_end(run.results)
            tick()
            yield run

    @property
    def answered(self) -> int:
        """How many images of runs the classifier has answered until now, here or elsewhere."""
        return self.evaluator.queries.classifier + self.dispatcher.pursued

    def workers(self) -> str:
        """Return who showed how many images in how many seconds of its own, as CSV."""
        done = sorted(self.dispatcher.done.items())
        rows = [f"{host},{process},{images},{seconds:.3f}" for (host, process), (images, seconds) in done]
        return "\n".join(["host,process,images,seconds", *rows]) + "\n"

    def _few(self, runs: Iterable[RunInfo]) -> list[RunInfo]:
        found = list(itertools.islice(runs, MOST_RUNS + 1))
        if len(found) > MOST_RUNS:
            raise self.experiment.error("seeds", f"gives more than {MOST_RUNS:,} runs; use fewer seeds or targets")
        return found

    def _rehearse(self, name: str, *, strict: bool) -> bytes:
        """Let an experiment's first run come to its second generation, by made-up answers, and throw it away.

        So what cannot begin, and most parameters that go wrong together, fail before a folder is made. A plugin that
        breaks its contract on the way will do so in the run as well, where there is a folder for its traceback.
        """
        experiment = self.dispatcher.task.experiments[name]
        info = next(run for run in self.runs if run.variant == name)
        with experiment.blaming("genome"):
            experiment.genome.build(self.classifier.input_shape)
        run = self.dispatcher.task.run(info, _Imagined(self.dispatcher.task.timed))
        try:
            with experiment.blaming("algorithm"):
                begun = run.ask()
            with experiment.blaming("algorithm"), contextlib.suppress(*() if strict else (PluginError,)):
                if begun:
                    answers = np.random.default_rng(0).normal(size=(len(run.uncached()), self.classifier.classes))
                    run.store(answers.astype(np.float32))
                    run.tell()
                    run.finish_generation()
                if not run.stopped:
                    run.ask()
            return run.start
        finally:
            run.close()

    def _calibrated(self, rows: int | None) -> Calibration:
        """Find out about the classifier, and warn of one that was hardly loaded as its owner thinks."""
        with self.experiment.blaming("classifier"):
            found = calibrate(self.evaluator, rows)
        self._check_pixels(found.noise)
        self._check_accuracy()
        return found

    def _check_pixels(self, noise: Array) -> None:
        """Warn of a model that is far too sure of noise: most likely it was trained on other pixels than it is fed.

        One that was trained on 0..1 is as accurate on 0..255, as far as its layers are linear, and without a doubt.
        """
        noise = noise[:, targets_of(self.classifier)]
        apart = float(np.median(np.ptp(noise, axis=1))) if len(noise) else 0.0
        if apart > FAR_APART:
            own = "input_range" in self.experiment.classifier.plugin.parameters
            cure = "say 'input_range: [0, 1]'" if own else "scale them"
            warn(
                f"the logits of an image of noise lie {apart:,.0f} apart, so every confidence is all or nothing: if "
                f"the classifier was trained on other pixels than 0..255, {cure}"
            )

    def _check_accuracy(self) -> None:
        """Warn of a model that does badly on a dataset: most likely it was not loaded as its owner thinks."""
        data = self._dataset()
        if data is None or self.evaluator.billable:
            return
        images, labels = data.test_images[:ACCURACY_IMAGES], data.test_labels[:ACCURACY_IMAGES]
        logits = self.evaluator.probe_logits(images)
        accuracy = float(np.mean(logits.argmax(axis=1) == labels))
        if accuracy < BADLY_LOADED:
            warn(
                f"the classifier is right on {level(accuracy)} of {len(images)} test images: it looks badly loaded; "
                "check its input range, its class order and whether it was trained on inverted colours"
            )

    def _dataset(self) -> Split | None:
        """Return the experiment's dataset, if it names one; refuse one that is not for the classifier."""
        experiment, classifier = self.experiment, self.classifier
        if experiment.dataset is None:
            return None
        with experiment.blaming("dataset"):
            data = loaded(experiment.dataset)
        shape = data.test_images.shape[1:]
        if shape != classifier.input_shape:
            raise experiment.error("dataset", f"its images are {shape}, the classifier takes {classifier.input_shape}")
        for part, labels in (("training", data.train_labels), ("test", data.test_labels)):
            fault = label_fault(labels, len(labels), part, classifier.classes)
            if fault:
                name = experiment.dataset.plugin.name
                raise experiment.error("dataset", f"{name!r} holds {fault}, which the classifier has")
        return data


class _Imagined(Evaluator):
    """Makes up gradients: a rehearsal shows the classifier nothing."""

    def gradient(self, images: Images, target: int) -> NDArray[np.float32]:
        super().gradient(images[:0], target)  # which refuses where there are none to be had
        return np.random.default_rng(1).normal(size=images.shape).astype(np.float32)


def _runs(variant: str, experiment: Experiment, classifier: Classifier) -> Iterator[RunInfo]:
    """Yield the runs over seeds and targets, after checking that the classifier has these classes."""
    targets, classes = experiment.targets, classifier.classes
    wanted = tuple(targets_of(classifier)) if targets == "all" else targets
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


def targets_of(classifier: Classifier) -> list[int]:
    """Return the classes that an image can be taken for: all but that of what is rejected."""
    rejection = getattr(classifier, "rejection", None)
    return [each for each in range(classifier.classes) if each != rejection]


def left_behind(error: BaseException, folder: Folder, command: str) -> BaseException:
    """Leave the traceback of what ended the work in its folder, and say where it is and how to go on."""
    told, first = printable("".join(traceback.format_exception(error))), _first(error)
    if isinstance(first, KeyboardInterrupt):
        return KeyboardInterrupt(f"interrupted; go on with: {command} {folder.path}")
    if isinstance(first, FileError):
        return FileError(str(first))  # no fault of a program, that a traceback would help to find
    if not isinstance(first, RunError | InputError | OSError):
        return first
    # What is wrong with the input only now is no reason to take the folder for one that was never begun.
    failure = type(first) if isinstance(first, RunError) else RunError
    try:
        log = folder.write("error.log", told)
    except RunError as unwritten:
        return failure(f"{first}; its traceback is lost: {unwritten}")
    return failure(f"{first}; the traceback is in {log}")


def _first(error: BaseException) -> BaseException:
    """Return what went wrong first, where all that went wrong since is files that could not be written."""
    first, before = error, error.__context__
    while isinstance(first, FileError) and before is not None:
        if isinstance(before, Exception | KeyboardInterrupt) and not isinstance(before, OSError):
            first = before
        before = before.__context__
    return first


def warn(message: str) -> None:
    """Tell the user something that does not stop the work."""
    warnings.warn(message, FooldeapWarning, stacklevel=3)
