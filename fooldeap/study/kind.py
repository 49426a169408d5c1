"""A study as a kind of YAML file and as a kind of folder."""

import contextlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from fooldeap.extensions import FileKind
from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification, exported
from fooldeap.result_tools.verify import notes
from fooldeap.runs.folder import problems_in
from fooldeap.runs.worker_task import RunOutcome
from fooldeap.storage.inputs import read, read_json
from fooldeap.study import definition
from fooldeap.study.analysis import analyse
from fooldeap.study.comparison import crossed, outcome_of, texts
from fooldeap.study.plan import Plan, StudyFolder, plan
from fooldeap.study.records import Record, record_of
from fooldeap.study.report import build_report
from fooldeap.study.schema import schema
from fooldeap.study.variants import KEYS

FILE = FileKind("compare", KEYS, schema)


class StudyKind(FolderKind):
    """The folder of a study."""

    folder = StudyFolder

    def verify(self, folder: StudyFolder, settings: Settings) -> Verification:
        """Repeat runs, compare them with the records, and compare the records with the tables and the report."""
        study = definition.load(folder.config, arguments=settings.executor(mode="runs"), **settings.loading())
        problems, count, total = list(problems_in(folder.path)), 0, 0
        with contextlib.ExitStack() as stack:
            planned = plan(study, folder, stack)
            for group in planned.groups:
                ended = [run for run in group.runs if run not in group.missing]
                runs = settings.choose(ended)
                count, total = count + len(runs), total + len(ended)
                with planned.open_session(group) as session:
                    for run in session.evolve(runs):
                        problems += _check_record(run, planned, folder)
            if settings.sample is None:
                problems += _check_texts(planned, folder)
        differences = notes(folder, list(study.variants.values()))
        return Verification(f"{folder.path}: {count} of {total} runs", tuple(problems), differences)

    def images(self, source: Source) -> Iterator[ExportedImage]:
        """Yield the image of each run of each variant."""
        for record in source.names("variants/*/records/*.json"):
            variant = PurePosixPath(record).parts[1]
            for run in source.read_json(record)["runs"]:
                name = f"variants/{variant}/images/seed-{int(run['seed'])}/{int(run['target'])}.png"
                yield exported(run, variant, source.image(name))


def _check_record(run: RunOutcome, planned: Plan, folder: StudyFolder) -> list[str]:
    """Return the difference between a repeated run and its record, if there is one."""
    if run.failure is not None:
        return [f"{run.info.label}: fails here: {run.failure}"]
    now = [record_of(run.info.variant, result, planned.budgets[run.info.variant]) for result in run.results]
    before = folder.records.read(run.info, {}, planned.budgets[run.info.variant]) or []
    equal = len(now) == len(before) > 0 and all(map(_equal, now, before))
    return [] if equal else [f"{run.info.label}: its record differs from the repeated run"]


def _check_texts(planned: Plan, folder: StudyFolder) -> list[str]:
    """Return one line for each table or report that differs from the one computed from the records."""
    summary, design = read_json(folder.path / folder.LAST), folder.design() or {}
    outcome = outcome_of(planned, folder, summary["study"]["failed"], extended=bool(design.get("extended", True)))
    transfer, analysis = crossed(planned, outcome), analyse(outcome)
    computed = texts(folder, outcome, analysis, build_report(outcome, analysis, transfer))
    computed |= {} if transfer is None else {"transfer.csv": transfer.csv()}
    paths = {name: folder.path / name for name in computed}
    return [
        f"{name}: differs from the one computed from the records"
        for name, path in paths.items()
        if path.is_file() and read(path) != computed[name].encode()
    ]


def _equal(one: Record, other: Record) -> bool:
    arrays = zip(one.arrays, other.arrays, strict=True)
    return one.row == other.row and all(np.array_equal(mine, theirs) for mine, theirs in arrays)
