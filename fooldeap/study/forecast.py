"""What a study will take, from a few seconds of it."""

import math
import time
from dataclasses import dataclass

from fooldeap.engine.evolution import Observer
from fooldeap.numerals import counted, per_second
from fooldeap.results import LogRow, RunInfo
from fooldeap.runs.bench import Bench
from fooldeap.study.board import duration
from fooldeap.study.definition import Study, resolved
from fooldeap.study.plan import StudyFolder, by_classifier, serially

SECONDS = 3.0  # of evolution, for each classifier


@dataclass(frozen=True)
class Forecast:
    """Runs, the most evaluations they may take, and the most seconds, in one process; infinite where unknown."""

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
            return f"{what}; the clock of this machine did not advance, so the time that they take is not known"
        rate = per_second(self.evaluations, self.seconds)
        return f"{what}; at the {rate:,.0f} a second measured here in one process, at most {duration(self.seconds)}"


def forecast(study: Study, folder: StudyFolder | None = None) -> Forecast:
    """Return what a study will take at most, less what a folder has of it.

    A few seconds of it are evolved for that, and thrown away.
    """
    whole, _ = resolved(study)
    runs, evaluations, seconds = 0, 0, 0.0
    for group in by_classifier(whole):
        with Bench(serially(group)) as bench:
            missing = [run for run in bench.runs if folder is None or not folder.records.kept(run)]
            most = sum(group[run.variant].stop.evaluations or 0 for run in missing)
            runs, evaluations = runs + len(missing), evaluations + most
            rate = _rate(bench)
            seconds += most / rate if rate else math.inf
    return Forecast(len(whole.variants), runs, evaluations, seconds)


class _Enough(Exception):
    """The trial has gone on for long enough."""


class _Stopwatch(Observer):
    def __init__(self) -> None:
        self.begun = time.perf_counter()

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        if time.perf_counter() > self.begun + SECONDS:
            raise _Enough


def _rate(bench: Bench) -> float:
    """Return evaluations a second, over all variants as they take their turns: each gets the same share of the trial.

    A variant that is slower than the others takes more than its share of the time, as it will in the study. The rate is
    0 where the clock did not advance.
    """
    firsts = {run.variant: run for run in reversed(bench.runs)}
    width, answered, watch = bench.width, bench.answered, _Stopwatch()
    bench.width = len(firsts) * math.ceil(width / len(firsts))
    try:
        runs = [run for run in bench.runs if run.seed == firsts[run.variant].seed]
        runs.sort(key=lambda run: run.targets)
        for _ in bench.evolve(runs, observer=watch):
            pass
    except _Enough:
        pass
    return per_second(max(1, bench.answered - answered), time.perf_counter() - watch.begun)
