"""Estimate the duration of a study from a few seconds of trial runs."""

import math
import time
from dataclasses import dataclass

from fooldeap.engine.evolution import Observer
from fooldeap.formatting import counted, duration, per_second
from fooldeap.results import LogRow, RunInfo
from fooldeap.runs.session import Session
from fooldeap.study.definition import Study, resolved
from fooldeap.study.plan import StudyFolder, group_by_classifier, make_serial

SECONDS = 3.0  # duration of the trial runs, for each classifier


@dataclass(frozen=True)
class Forecast:
    """Number of variants and runs, and upper limits for evaluations and for seconds in one process.

    ``seconds`` is infinite if it is unknown.
    """

    variants: int
    runs: int
    evaluations: int
    seconds: float

    def __str__(self) -> str:
        if not self.runs:
            return f"{counted(self.variants, 'variant')}, no run is missing"
        what = f"{counted(self.variants, 'variant')}, {counted(self.runs, 'run')}, "
        what += f"at most {counted(self.evaluations, 'evaluation')}"
        if math.isinf(self.seconds):
            return f"{what}; the clock of this machine did not advance, so the duration is unknown"
        rate = per_second(self.evaluations, self.seconds)
        return f"{what}; at the {rate:,.0f}/s measured here in one process, at most {duration(self.seconds)}"


def forecast(study: Study, folder: StudyFolder | None = None) -> Forecast:
    """Estimate the evaluations and the seconds of a study, without the runs that ``folder`` already has.

    The function makes a few seconds of trial runs and discards them.
    """
    whole, _ = resolved(study)
    runs, evaluations, seconds = 0, 0, 0.0
    for group in group_by_classifier(whole):
        with Session(make_serial(group)) as session:
            missing = [run for run in session.runs if folder is None or not folder.records.exists(run)]
            most = sum(group[run.variant].stop.evaluations or 0 for run in missing)
            runs, evaluations = runs + len(missing), evaluations + most
            rate = _measure_rate(session)
            seconds += most / rate if rate else math.inf
    return Forecast(len(whole.variants), runs, evaluations, seconds)


class _TimeUp(Exception):
    """The time for the trial runs is over."""


class _TimeLimit(Observer):
    def __init__(self) -> None:
        self.begun = time.perf_counter()

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        if time.perf_counter() > self.begun + SECONDS:
            raise _TimeUp


def _measure_rate(session: Session) -> float:
    """Return evaluations per second. All variants advance in turns, so each has the same number of runs in the trial.

    A slow variant takes more of the time than the others, as it will in the study. The rate is 0 if the clock did not
    advance.
    """
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
