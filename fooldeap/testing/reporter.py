"""The contracts of reporters."""

import functools
import io
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

from fooldeap.plugin import ExperimentInfo, Predictions, Reporter, Result, RunInfo
from fooldeap.runs.run_folder import RunFolder
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.evolved import predict, run_experiment
from fooldeap.testing.subject import Subject


@contract("reporter")
def _derives_from_reporter(subject: Subject) -> None:
    derived = isinstance(subject.plugin.target, type) and issubclass(subject.plugin.target, Reporter)
    demand(derived, "it does not derive from fooldeap.plugin.Reporter; make it a subclass")


@contract("reporter")
def _reports_a_whole_experiment(subject: Subject) -> None:
    with _temporary_folders() as (here, folder):
        _report(subject.build(), None)
        _report(subject.build(), folder)
        _report(subject.build(), folder, resumed=True)
        demand(
            not any(here.iterdir()), "it writes files outside the folder of the session; write in session.folder only"
        )


@contract("reporter")
def _handles_an_abort(subject: Subject) -> None:
    with _temporary_folders() as (_, folder):
        for session_folder in (None, folder):
            reporter = subject.build()
            with trying("in on_start"):
                reporter.on_start(_session(session_folder))
            with trying("in on_abort"):
                reporter.on_abort()


def _report(reporter: Reporter, folder: RunFolder | None, *, resumed: bool = False) -> None:
    """Call a reporter as the engine does in an experiment."""
    result = replace(_result(), folder=folder.path if folder else None)
    with trying("in on_start"):
        reporter.on_start(_session(folder, resumed=resumed))
    for run in result:
        info, best = RunInfo(run.seed, (run.target,)), dict[int, Predictions]()
        with trying("in on_run_start"):
            reporter.on_run_start(info, best.get)
        for row in run.log:
            with trying("in on_generation"):
                reporter.on_generation(info, row)
            best[run.target] = predict(run.image.pixels)
        with trying("in on_run_end"):
            reporter.on_run_end([run])
    with trying("in on_finish"):
        reporter.on_finish(result)


@functools.cache
def _result() -> Result:
    return run_experiment()


def _session(folder: RunFolder | None, *, resumed: bool = False) -> ExperimentInfo:
    runs = tuple(RunInfo(run.seed, (run.target,)) for run in _result())
    return ExperimentInfo("experiment", runs, {"confidence": 0.9999}, 1000, {"name": "experiment"}, folder, resumed)


@contextmanager
def _temporary_folders() -> Iterator[tuple[Path, RunFolder]]:
    """Change to an empty folder without a terminal; yield this folder, and the folder of a session."""
    with tempfile.TemporaryDirectory() as name, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        here, folder = Path(name, "here"), Path(name, "session")
        here.mkdir()
        folder.mkdir()
        with chdir(here):
            yield here, RunFolder(folder)
