"""Estimate the duration of a study from a few seconds of trial runs."""

import math
from dataclasses import dataclass

from fooldeap.configuration.experiment import Experiment
from fooldeap.formatting import counted
from fooldeap.results import RunInfo
from fooldeap.runs.forecast import Forecast, measure_rate, peak_memory
from fooldeap.runs.session import Session
from fooldeap.study.definition import Study, resolved
from fooldeap.study.plan import StudyFolder, group_by_classifier, make_serial


@dataclass(frozen=True)
class StudyForecast(Forecast):
    """The forecast of a study, with its number of variants."""

    variants: int

    def __str__(self) -> str:
        return f"{counted(self.variants, 'variant')}, {super().__str__()}"


def forecast(study: Study, folder: StudyFolder | None = None) -> StudyForecast:
    """Estimate the evaluations, seconds and memory of a study, without the runs that ``folder`` already has.

    The function makes a few seconds of trial runs and discards them.
    """
    whole, _ = resolved(study)
    runs, evaluations, seconds = 0, 0, 0.0
    for group in group_by_classifier(whole):
        with Session(make_serial(group)) as session:
            missing = [run for run in session.runs if folder is None or not _is_made(run, group, session, folder)]
            most = sum(group[run.variant].stop.evaluations or 0 for run in missing)
            runs, evaluations = runs + len(missing), evaluations + most
            rate = measure_rate(session)
            seconds += most / rate if rate else math.inf
    return StudyForecast(runs, evaluations, seconds, peak_memory(), len(whole.variants))


def _is_made(run: RunInfo, group: dict[str, Experiment], session: Session, folder: StudyFolder) -> bool:
    experiment = group[run.variant]
    belongs_to = {"experiment": experiment.digest, "classifier": session.dispatcher.task.digest}
    return folder.records.read(run, belongs_to, experiment.stop.evaluations or 0) is not None
