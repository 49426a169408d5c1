"""What a session of a study has to do, found out before anything is written: which of its runs are on record."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import Calibration
from fooldeap.errors import InputError
from fooldeap.results import RunInfo
from fooldeap.runs.bench import Bench
from fooldeap.runs.folder import Folder
from fooldeap.storage.inputs import read_json
from fooldeap.study import definition
from fooldeap.study.definition import Study
from fooldeap.study.records import Key, Record, Records

DESIGN = "design.json"


class StudyFolder(Folder):
    """The folder of a study."""

    FILE = "study.yaml"
    LAST = "summary.json"
    MADE_BY = "fooldeap compare"

    @property
    def records(self) -> Records:
        """The records of its runs."""
        return Records(self.path / "variants")

    def design(self) -> dict[str, Any] | None:
        """Return what was to be compared when the study began, and whether that was changed since; None for neither."""
        path = self.path / DESIGN
        try:
            return dict(read_json(path)) if path.is_file() else None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: is damaged ({error}); restore it from a copy") from None


@dataclass
class Group:
    """The variants that share a classifier, all their runs, and those of them that are missing.

    ``belongs_to`` says, by variant, what its records belong to; ``calibration`` is what was found of the classifier.
    """

    experiments: dict[str, Experiment]
    runs: tuple[RunInfo, ...]
    missing: list[RunInfo]
    belongs_to: dict[str, dict[str, str]]
    calibration: Calibration


@dataclass
class Plan:
    """A study with the whole budget of every run, and what is known of it.

    Parameters
    ----------
    study, joint : see `definition.resolved`
    groups : see `Group`; with one alone, ``bench`` is its own, ready to evolve
    found : the records of the runs that are not missing
    starts : by variant, what identifies the images that its first run begins with
    """

    study: Study
    joint: frozenset[str]
    groups: list[Group] = field(default_factory=list)
    bench: Bench | None = None
    found: dict[Key, Record] = field(default_factory=dict)
    starts: dict[str, bytes] = field(default_factory=dict)

    @property
    def budgets(self) -> dict[str, int]:
        """Evaluations a run, by variant."""
        return {name: each.stop.evaluations or 0 for name, each in self.study.variants.items()}

    @property
    def paired(self) -> bool:
        """Whether all variants start from the same images."""
        return len(set(self.starts.values())) == 1

    def design(self) -> dict[str, Any]:
        """Return what is to be compared."""
        runs = [run for group in self.groups for run in group.runs]
        return {
            "variants": sorted(self.study.variants),
            "targets": sorted({target for run in runs for target in run.targets}),
            "seeds": sorted({run.seed for run in runs}),
        }


def plan(study: Study, folder: StudyFolder | None, stack: contextlib.ExitStack) -> Plan:
    """Return what is to be done; what cannot begin, or cannot be resumed, raises `InputError`.

    A bench that is ready to be used is left open on the ``stack``.
    """
    whole, joint = definition.resolved(study)
    made = Plan(whole, joint)
    groups = by_classifier(whole)
    strict = {study.tried} if study.tried else set()  # of a variant on trial that fails nothing else is worth knowing
    if len(groups) == 1:
        made.bench = stack.enter_context(Bench(groups[0], strict=strict))
        _survey(made, groups[0], made.bench, folder)
        return made
    classes = set()
    for group in groups:  # each by itself, as only one pool of workers fits a process
        with Bench(serially(group), strict=strict) as bench:
            _survey(made, group, bench, folder)
            classes.add(bench.classifier.classes)
    if len(classes) > 1 and whole.common.targets == "all":
        numbers = " and ".join(map(str, sorted(classes)))
        raise whole.common.error("targets", f"got all, of classifiers with {numbers} classes; name the targets")
    return made


def _survey(plan: Plan, experiments: dict[str, Experiment], bench: Bench, folder: StudyFolder | None) -> None:
    """Enter what is on record of some variants, and what is missing."""
    plan.starts |= bench.starts
    digest = bench.crew.work.digest
    group = Group(
        experiments,
        bench.runs,
        [],
        {name: {"experiment": each.digest, "classifier": digest} for name, each in experiments.items()},
        bench.calibration,
    )
    plan.groups.append(group)
    for run in bench.runs:
        records = folder.records.read(run, group.belongs_to[run.variant]) if folder is not None else None
        plan.found |= {record.key: record for record in records or ()}
        if records is None:
            group.missing.append(run)


def redesigned(plan: Plan, folder: StudyFolder) -> dict[str, Any]:
    """Return the design of a folder with this plan: whether it was changed after results could be seen."""
    before, now = folder.design(), plan.design()
    if not folder.records.any():
        return {**now, "extended": False}
    if before is None:  # it was removed
        return {**now, "extended": True}
    if not set(before["variants"]) & set(now["variants"]):
        held = ", ".join(before["variants"])
        raise InputError(f"{folder.path}: holds another study, of {held}; start this one with a new --out")
    return {**now, "extended": bool(before["extended"]) or any(before[name] != now[name] for name in now)}


def serially(experiments: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Return experiments as they are evaluated in this process alone."""
    serial = config.load({"executor": "serial"}).executor
    return {name: replace(each, executor=serial) for name, each in experiments.items()}


def by_classifier(study: Study) -> list[dict[str, Experiment]]:
    """Return the variants in groups that share a classifier."""
    groups: dict[str, dict[str, Experiment]] = {}
    for name, experiment in study.variants.items():
        key = json.dumps([experiment.classifier.data(), experiment.dataset and experiment.dataset.data()])
        groups.setdefault(key, {})[name] = experiment
    return list(groups.values())


def classifiers(experiments: Iterable[Experiment]) -> str:
    """Return the classifiers of experiments in words."""
    names = {Path(str(each.classifier.values.get("model", each.classifier.plugin.name))).stem for each in experiments}
    return " and ".join(sorted(names))
