"""Runs one experiment from its start to its result: reporters, folder and, after an error, its traceback."""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from fooldeap.configuration.choices import Choice
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine import fronts
from fooldeap.engine.calibration import Calibration
from fooldeap.engine.evolution import Observer, UnrecordedError
from fooldeap.errors import FooldeapError, InputError, OvertimeError, PluginError, RunError, blaming
from fooldeap.plugin import BestYet, Classifier, Reporter
from fooldeap.results import Cost, ExperimentInfo, LogRow, Result, RunInfo, RunResult
from fooldeap.runs.run_folder import RunFolder
from fooldeap.runs.session import Session, left_behind, warn
from fooldeap.runs.worker_task import RunOutcome
from fooldeap.storage.sums import lists_journals
from fooldeap.storage.timings import Timings
from fooldeap.terminal_text import printable


class Reporters(Observer):
    """The reporters of an experiment, called together. An error names the reporter that raised it.

    ``quiet`` leaves out reporters that print to the screen. Without ``images``, these reporters show no images.
    """

    def __init__(self, experiment: Experiment, *, quiet: bool = False, images: bool = True) -> None:
        self._named: list[tuple[str, Reporter]] = [
            (str(choice.plugin), (choice if images else _without_images(choice)).build())
            for choice in experiment.reporters
            if not (quiet and _on_screen(choice))
        ]
        # A call for each row of a log takes long if there are many targets, so only these reporters are called.
        self._listening = [(name, each) for name, each in self._named if _listens(each)]
        self.reads_log = bool(self._listening)

    def call(self, event: str, *arguments: Any) -> None:
        """Call a method of every reporter."""
        for name, reporter in self._named:
            with blaming(name, f" in {event}"):
                getattr(reporter, event)(*arguments)

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Call ``on_run_start`` of every reporter before a run."""
        self.call("on_run_start", run, best)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Call ``on_generation`` of every reporter after each generation, for each target."""
        for name, reporter in self._listening:
            with blaming(name, " in on_generation"):
                reporter.on_generation(run, row)

    def on_run_end(self, results: list[RunResult]) -> None:
        """Call ``on_run_end`` of every reporter after a run."""
        self.call("on_run_end", results)

    def abort(self) -> None:
        """Tell every reporter that there will be no result."""
        self.call("on_abort")


def _listens(reporter: Reporter) -> bool:
    return getattr(getattr(reporter, "on_generation", None), "__func__", None) is not Reporter.on_generation


def _on_screen(choice: Choice) -> bool:
    return getattr(choice.plugin.target, "on_screen", False)


def _without_images(choice: Choice) -> Choice:
    shows = _on_screen(choice) and "images" in choice.plugin.parameters
    return replace(choice, values={**choice.values, "images": False}) if shows else choice


class ExperimentSession(Session):
    """An experiment that is ready to run: its classifier is loaded and checked. `close` it, or use a ``with`` block.

    ``rows`` and ``calibration`` as for `Session`.
    """

    def __init__(
        self,
        experiment: Experiment,
        classifier: Classifier | None = None,
        *,
        rows: int | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._folder: RunFolder | None = None
        super().__init__({"": experiment}, classifier, rows=rows, calibration=calibration)

    def close(self) -> str:
        """Stop the worker processes. Their output is written to the folder."""
        said = super().close()
        if said and self._folder is not None:
            self._folder.write("workers.log", printable(said))
        return said

    def run(
        self,
        folder: RunFolder | None,
        *,
        resumed: bool = False,
        extends: Experiment | None = None,
        quiet: bool = False,
        images: bool = True,
        owned: bool = False,
    ) -> Result:
        """Run to the end, with reporters, see `Reporters`, and return the result.

        ``extends`` is the experiment that is in the folder, if this experiment extends it. ``owned`` says that the
        folder is part of another one, whose session writes the traceback of an error and names the command to resume.
        """
        self._folder = folder
        reporters = Reporters(self.experiment, quiet=quiet, images=images)
        ended, failures = list[RunOutcome](), dict[str, str]()
        with folder.locked() if folder else contextlib.nullcontext():
            if folder is not None:
                self._check(folder, extends)
            recording = folder.recording(self.evaluator) if folder else contextlib.nullcontext()
            with self._reporting_errors(reporters, owned), recording as log:
                reporters.call("on_start", self._session(folder, resumed))
                journals = folder.journals if folder else None
                timings = Timings(folder.path / "timings.csv" if folder else None)
                with contextlib.closing(self.evolve(self.runs, journals, reporters, timings, log)) as runs:
                    for run in runs:
                        if run.failure is not None:
                            if self.experiment.on_error == "stop":
                                raise run.failure
                            failures[run.info.label] = str(run.failure)
                            warn(f"{run.info.label} failed: {run.failure}; the other runs continue")
                        ended.append(run)
                result = self._result(ended, failures, timings.seconds)
                if folder is not None:
                    result = folder.store(result)
                reporters.call("on_finish", result)
            for message in self.executor.complaints():
                warn(message)
            if folder is not None:
                self._write(folder, result)
        return result

    def _check(self, folder: RunFolder, extends: Experiment | None) -> None:
        """Check that a folder can be resumed, before any of its files changes."""
        folder.environment.check([self.experiment])
        found = self.calibration
        device = getattr(self.classifier, "computes_on", None)
        folder.environment.check_classifier(self.dispatcher.task.digest, found.depends_on, found.warnings, device)
        begun = self.runs if extends is None else self._begun(folder, extends)
        for info in begun:
            self.dispatcher.task.journal(info, folder.journal(info)).close()
        if extends is None:
            folder.unseal()  # for failed runs that are tried again
        else:
            if extends.stop.goal != self.experiment.stop.goal:
                self._check_replays(folder, begun)
            folder.extend(extends, self.experiment)
        folder.write("calibration.json", json.dumps({"rows": self.evaluator.rows}) + "\n")

    def _begun(self, folder: RunFolder, extends: Experiment) -> list[RunInfo]:
        """Return the runs of the earlier experiment that have a journal.

        Raises
        ------
        InputError
            This experiment does not have all runs of the earlier one, it kept no journals, or another process has
            extended it.
        """
        if folder.finished and not lists_journals(folder.path):
            cure = f"start a new run: fooldeap run {folder.config}"
            raise InputError(f"{folder.path}: is finished and kept no journals, so it cannot be extended; {cure}")
        if folder.environment.earlier != self.experiment.options.earlier[:-1]:
            raise InputError(f"{folder.path}: was extended by another process; try again")
        earlier = self.runs_of(extends)
        missing = sorted(set(earlier) - set(self.runs))
        if missing and self.experiment.algorithm.plugin.options["targets"] == "all":
            why = f"{self.experiment.algorithm.plugin} pursues all targets together, so other targets change its run"
            raise self.experiment.error("targets", f"{why}; start a new run")
        if missing:
            least = f"expected at least all targets of {folder.path}"
            raise self.experiment.error("targets", f"leaves out {missing[0].label}, {least}; or start a new run")
        return [info for info in earlier if folder.journal(info).exists()]

    def _check_replays(self, folder: RunFolder, begun: Sequence[RunInfo]) -> None:
        """Check that another goal does not change the images of runs. An algorithm may use the goal."""
        for info in begun:
            run = self.dispatcher.run(info, journal=folder.journal(info))
            try:
                while not run.stopped and run.ask() and not len(run.uncached()):
                    run.tell()
                    run.finish_generation()
            except UnrecordedError:
                why = f"{self.experiment.algorithm.plugin} uses the goal, so another goal changes its runs"
                raise InputError(f"--resume: stop.confidence: {why}; start a new run") from None
            except FooldeapError:
                pass  # the run fails again, and is then reported
            finally:
                run.close()

    @contextlib.contextmanager
    def _reporting_errors(self, reporters: Reporters, owned: bool) -> Iterator[None]:
        """Tell the reporters about an error in the block, and write its traceback to the folder unless ``owned``."""
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(RunError):  # report the first error only
                reporters.abort()
            if self._folder is None or owned:
                if self._can_skip(error) and not owned:
                    raise type(error)(f"{error}; to skip runs that fail: on_error='skip'") from error
                raise
            with contextlib.suppress(RunError):
                self.close()
            command = "fooldeap run --resume"
            skip = f"; to skip runs that fail: {command} {self._folder.path} on_error=skip"
            raise left_behind(error, self._folder, command, skip if self._can_skip(error) else "") from error

    def _can_skip(self, error: BaseException) -> bool:
        """Return whether ``on_error: skip`` would end only the runs with this error."""
        ends_all = isinstance(error, OvertimeError) or self.evaluator.billable or self.experiment.on_error == "skip"
        return isinstance(error, PluginError) and not ends_all

    def _write(self, folder: RunFolder, result: Result) -> None:
        folder.write("workers.csv", self.workers())
        self.close()  # writes the output of the workers to the folder before it is sealed
        task = self.dispatcher.task
        keeps = self.experiment.keep_journals or bool(result.failures) or self.evaluator.billable or not task.is_large
        folder.write_result(result, keep_journals=keeps)

    def _result(self, ended: list[RunOutcome], failures: dict[str, str], seconds: float) -> Result:
        results = _sorted(result for run in ended for result in run.results)
        return Result(
            name=self.experiment.name,
            seed=self.experiment.seed,
            goal=self.experiment.stop.goal,
            evaluations=sum(run.evaluations for run in ended),
            seconds=seconds,
            runs=results,
            folder=self._folder.path if self._folder else None,
            failures=dict(sorted(failures.items())),
            names=tuple(getattr(self.classifier, "names", None) or ()),
            objectives=fronts.called(results, self.experiment.fitness.plugin.options["objectives"]),
            statistics=self.experiment.statistic_names,
        )

    def _session(self, folder: RunFolder | None, resumed: bool) -> ExperimentInfo:
        stop = self.experiment.stop
        return ExperimentInfo(
            name=self.experiment.name,
            runs=self.runs,
            goal=stop.goal,
            budget=stop.evaluations,
            configuration=self.experiment.data(),
            folder=folder,
            resumed=resumed,
            accuracy=self.calibration.accuracy,
            names=tuple(getattr(self.classifier, "names", None) or ()),
            cost=self.cost(),
            large=folder is not None and self.dispatcher.task.is_large,
            statistics=self.experiment.statistic_names,
        )

    def cost(self) -> Cost:
        """Return an estimate of the cost."""
        batch = self.first_batches.get("", 0)
        kept = sum(len(run.targets) for run in self.runs) + batch * min(self.width, len(self.runs))
        return Cost(
            evaluations=self.most_evaluations(""),
            rate=self.calibration.rate,
            memory=kept * math.prod(self.classifier.input_shape),
        )


def _sorted(results: Iterable[RunResult]) -> tuple[RunResult, ...]:
    return tuple(sorted(results, key=lambda run: (run.seed, run.target)))
