"""An experiment ready to run: its classifier loaded and checked, its runs known; and its way to the result."""

import contextlib
import gc
import json
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from fooldeap.config import Experiment
from fooldeap.crew import Crew
from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, PluginError, RunError
from fooldeap.evolution import drive
from fooldeap.plugin import Classifier, Executor, Toolbox
from fooldeap.reporters import Reporters
from fooldeap.results import Result, RunInfo, RunResult, Session
from fooldeap.rundir import RunFolder
from fooldeap.timings import Timings
from fooldeap.work import Ended, Work

BADLY_LOADED = 0.5  # accuracy below which a model is hardly what its owner takes it for
ACCURACY_IMAGES = 2000


class Prepared:
    """An experiment whose classifier is loaded and checked, ready to run. `close` it, or use it in a ``with`` block.

    ``rows`` is how many images go through the classifier at a time; None: what is found to be fastest. It changes no
    bit; where the rows of a batch are not independent, their number is fixed.
    """

    def __init__(
        self, experiment: Experiment, classifier: Classifier | None = None, *, rows: int | None = None
    ) -> None:
        self.experiment = experiment
        with self._blaming("classifier"):
            work = Work(experiment, classifier)
        self.executor: Executor = experiment.executor.build()
        self._folder: RunFolder | None = None
        try:
            with self._blaming("executor"):
                self.executor.open(work)
            with self._blaming("classifier"):
                self.crew = Crew(work, self.executor)
                classes = work.classifier.classes
            self.evaluator = self.crew.evaluator
            self.runs = tuple(self._runs(classes))
            self._check_accuracy()
            self._rehearse()
            self.width = experiment.lockstep
            self.row_invariant = self.evaluator.row_invariant()
            if self.row_invariant:
                self.evaluator.rows = rows or self.evaluator.fastest_rows()
        except BaseException:
            self.close()
            raise
        if not self.row_invariant:
            self.width = self.evaluator.shares = 1
            warn("this classifier's answer to an image depends on the rest of its batch; runs are evaluated one by one")

    def __enter__(self) -> "Prepared":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the helping processes go; what they said is left in the folder."""
        said = self.executor.close()
        if said and self._folder is not None:
            self._folder.write("workers.log", said)

    @property
    def classifier(self) -> Classifier:
        """The classifier."""
        return self.crew.work.classifier

    def toolbox(self, info: RunInfo) -> Toolbox:
        """Return the toolbox of a run, its random streams at their beginning."""
        return self.crew.toolbox(info)

    def run(self, folder: RunFolder | None, *, resumed: bool = False, quiet: bool = False) -> Result:
        """Run to the end, with reporters, and return the result."""
        self._folder = folder
        with folder.locked() if folder else contextlib.nullcontext():
            return self._run(folder, resumed, quiet)

    def _run(self, folder: RunFolder | None, resumed: bool, quiet: bool) -> Result:
        if folder is not None:
            for info in self.runs:  # a folder that cannot be resumed is refused before anything in it is touched
                self.crew.work.journal(info, folder.journal(info)).close()
        if folder is not None:
            folder.write("calibration.json", json.dumps({"rows": self.evaluator.rows}) + "\n")
        reporters = Reporters(self.experiment, quiet)
        try:
            reporters.call("on_start", self._session(folder, resumed))
            result = self._evolve(folder, reporters)
            reporters.call("on_finish", result)
        except BaseException as error:
            reporters.abort()
            if folder is None:
                raise
            self.close()
            raise _left_behind(error, folder) from error
        for message in self.executor.complaints():
            warn(message)
        if folder:
            folder.write("workers.csv", self._workers())
            folder.write_result(result)
        return result

    def _evolve(self, folder: RunFolder | None, reporters: Reporters) -> Result:
        timings = Timings(folder.path / "timings.csv" if folder else None)
        shown_before = self.evaluator.shown

        def tick(*, last: bool = False) -> None:
            timings.tick(self.evaluator.shown - shown_before, last=last)

        way = self._pursue if self.executor.whole_runs else self._drive
        gc.freeze()  # the classifier's million objects need not be looked through for garbage while we evolve
        try:
            ended = way(folder, reporters, timings, tick)
            seconds = timings.seconds
        finally:
            gc.unfreeze()
            tick(last=True)
        return Result(
            name=self.experiment.name,
            seed=self.experiment.seed,
            goal=self.experiment.stop.goal,
            evaluations=sum(run.evaluations for run in ended),
            seconds=seconds,
            runs=_sorted(result for run in ended for result in run.results),
            folder=folder.path if folder else None,
        )

    def _drive(
        self, folder: RunFolder | None, reporters: Reporters, timings: Timings, tick: Callable[[], None]
    ) -> list[Ended]:
        """Drive all runs in lockstep here; the others answer batches."""
        waiting = (
            self.crew.run(
                info,
                journal=folder.journal(info) if folder else None,
                observer=reporters,
                clock=timings.of(info.label),
            )
            for info in self.runs
        )
        ended = drive(waiting, self.evaluator, self.width, tick)
        return [Ended(run.info, [], run.results(), run.tally.evaluations) for run in ended]

    def _pursue(
        self, folder: RunFolder | None, reporters: Reporters, timings: Timings, tick: Callable[[], None]
    ) -> list[Ended]:
        """Let everybody drive some of the runs, and report each when it has ended."""
        elapsed = {info: timings.elapsed(info.label) for info in self.runs}
        ended = []
        for run in self.crew.pursue(self.runs, self.width, folder.journals if folder else None, elapsed):
            if folder and run.journal is not None:
                folder.write(str(folder.journal(run.info).relative_to(folder.path)), run.journal)
            for row in run.rows:
                reporters.on_generation(run.info, row)
            reporters.on_run_end(run.results)
            ended.append(run)
            tick()
        return ended

    def _workers(self) -> str:
        """Return who showed how many images in how many seconds of its own, as CSV."""
        done = sorted(self.crew.done.items())
        rows = [f"{host},{process},{images},{seconds:.3f}" for (host, process), (images, seconds) in done]
        return "\n".join(["host,process,images,seconds", *rows]) + "\n"

    def _session(self, folder: RunFolder | None, resumed: bool) -> Session:
        stop = self.experiment.stop
        return Session(
            name=self.experiment.name,
            runs=self.runs,
            goal=stop.goal,
            budget=stop.evaluations,
            configuration=self.experiment.data(),
            folder=folder,
            resumed=resumed,
        )

    def _runs(self, classes: int) -> Iterator[RunInfo]:
        """Yield the runs over seeds and targets, after checking that the classifier has these classes."""
        targets = self.experiment.targets
        wanted = tuple(range(classes)) if targets == "all" else targets
        beyond = [target for target in wanted if target >= classes]
        if beyond:
            raise self.experiment.error("targets", f"got {beyond[0]}, expected classes from 0 to {classes - 1}")
        jointly = self.experiment.algorithm.plugin.options["targets"] == "all"
        for seed in range(self.experiment.seed, self.experiment.seed + self.experiment.seeds):
            yield from [RunInfo(seed, wanted)] if jointly else (RunInfo(seed, (target,)) for target in wanted)

    @contextlib.contextmanager
    def _blaming(self, key: str) -> Iterator[None]:
        """Point at a key of the file where its plugin finds fault with the input; call other errors the plugin's."""
        try:
            yield
        except InputError as error:
            raise self.experiment.error(key, str(error)) from error
        except FooldeapError:
            raise
        except Exception as error:
            plugin = getattr(self.experiment, key).plugin
            raise PluginError(f"{plugin} raised {type(error).__name__}: {error}") from error

    def _rehearse(self) -> None:
        """Let a run come to its second generation, by made-up answers, and throw it away.

        So what cannot begin, and most parameters that go wrong together, fail before a folder is made. A plugin that
        breaks its contract on the way will do so in the run as well, where there is a folder for its traceback.
        """
        run = self.crew.work.run(self.runs[0], self.evaluator)
        try:
            with self._blaming("algorithm"):
                begun = run.ask()
            with self._blaming("algorithm"), contextlib.suppress(PluginError):
                if begun:
                    answers = np.random.default_rng(0).normal(size=(len(run.unseen()), self.classifier.classes))
                    run.tell(answers.astype(np.float32))
                    run.settle()
                if not run.stopped:
                    run.ask()
        finally:
            run.close()

    def _check_accuracy(self) -> None:
        """Warn of a model that does badly on a dataset: most likely it was not loaded as its owner thinks."""
        if self.experiment.dataset is None:
            return
        data = self.experiment.dataset.build().load()
        images, labels = data.test_images[:ACCURACY_IMAGES], data.test_labels[:ACCURACY_IMAGES]
        if images.shape[1:] != self.classifier.input_shape:
            raise self.experiment.error(
                "dataset",
                f"its images are {images.shape[1:]}, the classifier takes {self.classifier.input_shape}",
            )
        (logits,) = self.evaluator.logits([images])
        accuracy = float(np.mean(logits.argmax(axis=1) == labels))
        if accuracy < BADLY_LOADED:
            warn(
                f"the classifier is right on {accuracy:.1%} of {len(images)} test images: it looks badly loaded; "
                "check its input range, its class order and whether it was trained on inverted colours"
            )


def _left_behind(error: BaseException, folder: RunFolder) -> BaseException:
    """Leave the traceback in the folder, and say where it is and how to go on."""
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(f"interrupted; go on with: fooldeap run --resume {folder.path}")
    if not isinstance(error, RunError | InputError):
        return error
    log = folder.write("error.log", "".join(traceback.format_exception(error)))
    # What is wrong with the input only now is no reason to take the folder for one that was never begun.
    failure = RunError if isinstance(error, InputError) else type(error)
    return failure(f"{error}; the traceback is in {log}")


def warn(message: str) -> None:
    """Tell the user something that does not stop the work."""
    warnings.warn(message, FooldeapWarning, stacklevel=3)


def _sorted(results: Iterable[RunResult]) -> tuple[RunResult, ...]:
    return tuple(sorted(results, key=lambda run: (run.seed, run.target)))
