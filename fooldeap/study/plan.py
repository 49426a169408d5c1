"""Plan a session of a study before anything is written: check the variants and find the missing runs."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import Calibration
from fooldeap.errors import InputError, blaming_damage
from fooldeap.results import RunInfo
from fooldeap.runs.folder import Folder
from fooldeap.runs.forecast import in_one_process
from fooldeap.runs.session import Session
from fooldeap.storage.inputs import read_json
from fooldeap.study import definition
from fooldeap.study.definition import Study
from fooldeap.study.outcome import Key
from fooldeap.study.records import Record, Records
from fooldeap.study.transfer import name_classifier

DESIGN = "design.json"


class StudyFolder(Folder):
    """The folder of a study."""

    FILE = "study.yaml"
    LAST = "summary.json"
    MADE_BY = "fooldeap compare"

    def __init__(self, path: Path, *, force: bool = False) -> None:
        super().__init__(path, force=force)
        self.extension: dict[str, int] = {}  # what this session adds to the earlier budgets of the environment

    @property
    def records(self) -> Records:
        """The records of the finished runs."""
        earlier = {**self.environment.earlier_budgets, **self.extension}
        return Records(self.path / "variants", force=self.force, earlier=earlier)

    def design(self) -> dict[str, Any] | None:
        """Return the planned variants, targets and seeds, and whether the plan was changed; None without a plan."""
        path = self.path / DESIGN
        with blaming_damage(path):
            return dict(read_json(path)) if path.is_file() else None


@dataclass
class ClassifierGroup:
    """The variants that share a classifier, with all their runs and the missing runs.

    ``belongs_to`` has, by variant, the digests of the experiment and the classifier, which its records must match.
    ``calibration`` is the calibration of the classifier, and ``names`` are the names of its classes.
    """

    experiments: dict[str, Experiment]
    runs: tuple[RunInfo, ...]
    missing: list[RunInfo]
    belongs_to: dict[str, dict[str, str]]
    calibration: Calibration
    names: tuple[str, ...] = ()


@dataclass
class Plan:
    """The plan of a session: the study, its runs, and the records of earlier sessions.

    Parameters
    ----------
    study, joint : see `definition.resolved`
    groups : the variants by classifier
    session : the open session if there is only one group; else None
    found : the records of the finished runs
    starts : by variant, a digest of the first images of its first run
    """

    study: Study
    joint: frozenset[str]
    groups: list[ClassifierGroup] = field(default_factory=list)
    session: Session | None = None
    found: dict[Key, Record] = field(default_factory=dict)
    starts: dict[str, bytes] = field(default_factory=dict)

    @property
    def budgets(self) -> dict[str, int]:
        """The budget of a run in evaluations, by variant."""
        return {name: each.stop.evaluations or 0 for name, each in self.study.variants.items()}

    @property
    def paired(self) -> bool:
        """Whether all variants start from the same images."""
        return len(set(self.starts.values())) == 1

    @contextlib.contextmanager
    def open_session(self, group: ClassifierGroup) -> Iterator[Session]:
        """Yield a session with the variants of a group: the open one, or a new one that is closed at the end."""
        if self.session is not None:
            yield self.session
        else:
            with Session(group.experiments, calibration=group.calibration) as session:
                yield session

    def design(self) -> dict[str, Any]:
        """Return the variants, targets and seeds to compare."""
        runs = [run for group in self.groups for run in group.runs]
        return {
            "variants": sorted(self.study.variants),
            "targets": sorted({target for run in runs for target in run.targets}),
            "seeds": sorted({run.seed for run in runs}),
            "budget": self.study.budget,
            "goal": self.study.goal,
        }


def plan(study: Study, folder: StudyFolder | None, stack: contextlib.ExitStack) -> Plan:
    """Return the plan of a session. A study that cannot start or be resumed raises `InputError`.

    If there is only one classifier, its session is left open on ``stack``.
    """
    whole, joint = definition.resolved(study)
    made = Plan(whole, joint)
    groups = group_by_classifier(whole)
    strict = {study.candidate} if study.candidate else set()  # if the variant on trial fails, the study is useless
    if len(groups) == 1:
        made.session = stack.enter_context(Session(groups[0], strict=strict))
        _add_group(made, groups[0], made.session, folder)
        return made
    classes = set()
    for group in groups:  # one after the other, because a process can have only one pool of workers
        with Session(make_serial(group), strict=strict) as session:
            _add_group(made, group, session, folder)
            classes.add(session.classifier.classes)
    if len(classes) > 1 and whole.common.targets == "all":
        numbers = " and ".join(map(str, sorted(classes)))
        raise whole.common.error("targets", f"got all, but the classifiers have {numbers} classes; list the targets")
    return made


def _add_group(plan: Plan, experiments: dict[str, Experiment], session: Session, folder: StudyFolder | None) -> None:
    """Add the variants of a classifier to the plan, with their records and missing runs."""
    plan.starts |= session.starts
    digest = session.dispatcher.task.digest
    group = ClassifierGroup(
        experiments,
        session.runs,
        [],
        {name: {"experiment": each.digest, "classifier": digest} for name, each in experiments.items()},
        session.calibration,
        tuple(getattr(session.classifier, "names", None) or ()),
    )
    plan.groups.append(group)
    for run in session.runs:
        budget = plan.budgets[run.variant]
        records = folder.records.read(run, group.belongs_to[run.variant], budget) if folder is not None else None
        plan.found |= {record.key: record for record in records or ()}
        if records is None:
            group.missing.append(run)


def revise_design(plan: Plan, folder: StudyFolder) -> dict[str, Any]:
    """Return the design to write, which says whether the study was changed after results were available."""
    before, now = folder.design(), plan.design()
    if not folder.records.any():
        return {**now, "extended": False}
    if before is None:  # the file was removed
        return {**now, "extended": True}
    if not set(before["variants"]) & set(now["variants"]):
        held = ", ".join(before["variants"])
        raise InputError(
            f"{folder.path}: contains another study, of the variants {held}; choose a new folder with --out"
        )
    return {
        **now,
        "extended": bool(before["extended"]) or any(before.get(name, now[name]) != now[name] for name in now),
    }


def make_serial(experiments: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Return the experiments with the executor ``serial``."""
    return {name: in_one_process(each) for name, each in experiments.items()}


def group_by_classifier(study: Study) -> list[dict[str, Experiment]]:
    """Group the variants by classifier and dataset."""
    groups: dict[str, dict[str, Experiment]] = {}
    for name, experiment in study.variants.items():
        key = json.dumps([experiment.classifier.data(), experiment.dataset and experiment.dataset.data()])
        groups.setdefault(key, {})[name] = experiment
    return list(groups.values())


def name_classifiers(experiments: Iterable[Experiment]) -> str:
    """Return the names of the classifiers of experiments, joined by 'and'."""
    return " and ".join(sorted({name_classifier(each) for each in experiments}))
