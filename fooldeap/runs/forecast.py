"""Estimates the evaluations, the time and the memory of experiments from a few seconds of trial runs."""

import math
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.evolution import Observer
from fooldeap.formatting import counted, duration, per_second
from fooldeap.results import LogRow, RunInfo
from fooldeap.runs.session import Session

SECONDS = 3.0  # duration of the trial runs, for each classifier
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of the operating system


@dataclass(frozen=True)
class Forecast:
    """Number of runs, and about the largest number of evaluations, of seconds in one process and of bytes of memory.

    ``seconds`` is infinite if it is unknown.
    """

    runs: int
    evaluations: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        if not self.runs:
            return "no run is missing"
        what = f"{counted(self.runs, 'run')}, at most {counted(self.evaluations, 'evaluation')}"
        memory = f"about {math.ceil(self.memory / 1e6):,} MB of memory"
        if math.isinf(self.seconds):
            return f"{what}; the duration is unknown; {memory}"
        rate = per_second(self.evaluations, self.seconds)
        return f"{what}; at the {rate:,.0f}/s measured here in one process, at most {duration(self.seconds)}; {memory}"


def forecast(groups: Iterable[Mapping[str, Experiment]]) -> Forecast:
    """Estimate the cost of experiments. The experiments of a group have a name and share a classifier.

    For each group, trial runs of a few seconds are made and discarded. No file is written.
    """
    runs, evaluations, seconds = 0, 0, 0.0
    for group in groups:
        with Session({name: in_one_process(each) for name, each in group.items()}) as session:
            most = sum(map(session.most_evaluations, group))
            runs, evaluations = runs + len(session.runs), evaluations + most
            rate = measure_rate(session)
            seconds += most / rate if rate else math.inf
    return Forecast(runs, evaluations, seconds, peak_memory())


def in_one_process(experiment: Experiment) -> Experiment:
    """Return the experiment with the executor ``serial``."""
    return replace(experiment, executor=config.load({"executor": "serial"}).executor)


def peak_memory() -> int:
    """Return the largest number of bytes of memory that this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def measure_rate(session: Session) -> float:
    """Return evaluations per second. All variants advance in turns, so each has the same number of runs in the trial.

    A slow variant takes more of the time than the others, as it will in the study. The rate is 0 if the clock did not
    advance, or if every image costs money: a trial would be paid.
    """
    if session.evaluator.billable:
        return 0.0
    firsts = {run.variant: run for run in reversed(session.runs)}
    width, answered, limit = session.width, session.answered, _TimeLimit()
    session.width = len(firsts) * math.ceil(width / len(firsts))
    try:
        runs = [run for run in session.runs if run.seed == firsts[run.variant].seed]
        runs.sort(key=lambda run: run.targets)
        for _ in session.evolve(runs, observer=limit):
            pass
    except _TimeUp:
        pass
    return per_second(max(1, session.answered - answered), time.perf_counter() - limit.begun)


class _TimeUp(Exception):
    """The time for the trial runs is over."""


class _TimeLimit(Observer):
    def __init__(self) -> None:
        self.begun = time.perf_counter()

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        if time.perf_counter() > self.begun + SECONDS:
            raise _TimeUp
