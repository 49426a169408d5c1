"""What reporters promise."""

import functools
import io
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

from fooldeap.plugin import Predictions, Reporter, Result, RunInfo, Session
from fooldeap.runs.rundir import RunFolder
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.evolved import evolved, predictions
from fooldeap.testing.subject import Subject


@contract("reporter")
def _is_a_reporter(subject: Subject) -> None:
    derived = isinstance(subject.plugin.target, type) and issubclass(subject.plugin.target, Reporter)
    demand(derived, "it does not derive from fooldeap.plugin.Reporter")


@contract("reporter")
def _follows_an_experiment_to_its_end(subject: Subject) -> None:
    with _elsewhere() as (here, folder):
        _follow(subject.build(), None)
        _follow(subject.build(), folder)
        _follow(subject.build(), folder, resumed=True)
        demand(not any(here.iterdir()), "it writes files beside the session's folder; write below session.folder alone")


@contract("reporter")
def _bears_an_abort(subject: Subject) -> None:
    with _elsewhere() as (_, folder):
        for place in (None, folder):
            reporter = subject.build()
            with trying("in on_start"):
                reporter.on_start(_session(place))
            with trying("in on_abort"):
                reporter.on_abort()


def _follow(reporter: Reporter, folder: RunFolder | None, *, resumed: bool = False) -> None:
    """Tell a reporter of an experiment as the engine does."""
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
            best[run.target] = predictions(run.image.pixels)
        with trying("in on_run_end"):
            reporter.on_run_end([run])
    with trying("in on_finish"):
        reporter.on_finish(result)


@functools.cache
def _result() -> Result:
    return evolved()


def _session(folder: RunFolder | None, *, resumed: bool = False) -> Session:
    runs = tuple(RunInfo(run.seed, (run.target,)) for run in _result())
    return Session("experiment", runs, {"confidence": 0.9999}, 1000, {"name": "experiment"}, folder, resumed)


@contextmanager
def _elsewhere() -> Iterator[tuple[Path, RunFolder]]:
    """Work in an empty folder, with a session's folder beside it, and without a screen."""
    with tempfile.TemporaryDirectory() as name, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        here, folder = Path(name, "here"), Path(name, "session")
        here.mkdir()
        folder.mkdir()
        with chdir(here):
            yield here, RunFolder(folder)
