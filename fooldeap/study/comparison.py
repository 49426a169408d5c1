"""A study from its file to its report: what ``fooldeap compare`` and `compare` do."""

import contextlib
import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fooldeap import config
from fooldeap.bench import Bench, left_behind, warn
from fooldeap.config import Experiment
from fooldeap.errors import FooldeapError, InputError, PluginError
from fooldeap.experiment import workers_as_key
from fooldeap.results import RunInfo
from fooldeap.rundir import Folder, as_yaml
from fooldeap.study import definition
from fooldeap.study.board import Board
from fooldeap.study.definition import Source, Study
from fooldeap.study.outcome import Outcome
from fooldeap.study.records import Key, Record, Records, grid, rows
from fooldeap.timings import Timings
from fooldeap.work import Ended

SUMMARY, RUNS = "summary.json", "runs.csv"


class StudyFolder(Folder):
    """The folder of a study."""

    FILE = "study.yaml"
    MADE_BY = "fooldeap compare"

    @property
    def variants(self) -> Path:
        """The folder of the variants' own."""
        return self.path / "variants"

    def extended_by(self, keys: set[Key]) -> bool:
        """Tell whether these runs are others than a report was written of before."""
        from fooldeap.study.tables import read_runs

        summary, runs = self.path / SUMMARY, self.path / RUNS
        if not summary.is_file() or not runs.is_file():
            return False
        try:
            extended = json.loads(summary.read_text(encoding="utf-8"))["extended"]
            before = {(row.variant, row.target, row.seed) for row in read_runs(runs.read_text(encoding="utf-8"))}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path}: {SUMMARY} or {RUNS} is damaged ({error}); remove both") from None
        return bool(extended) or before != keys


@dataclass(frozen=True)
class Comparison:
    """A finished study: its `Outcome`, what can be said of it (`Analysis`), and its folder."""

    outcome: Outcome
    analysis: Any
    folder: Path

    def __str__(self) -> str:
        from fooldeap.study import report

        return report.verdict(self.outcome, self.analysis)

    def _repr_markdown_(self) -> str:
        from fooldeap.study import report

        return report.markdown(self.outcome, self.analysis)


def compare(
    source: Source | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | Literal["auto"] | None = None,
    quiet: bool = False,
    **arguments: Any,
) -> Comparison:
    """Carry out a study and return its outcome; everything is written to a folder, ``comparison.folder``.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping; None: what is in the folder to resume
    overrides : words as on the command line, ``"seeds=3"``
    out : the folder; None: the next one below ``runs/<name>/``
    resume : the folder of an earlier session: only runs that are missing there are made
    plugins, workers, arguments : as for `fooldeap.run`
    quiet : show nothing on screen

    Raises
    ------
    InputError
        Something in the input is wrong; nothing was written.
    RunError
        It failed on the way; the folder is kept and can be resumed.
    """
    if resume is not None and out is not None:
        raise InputError("out and resume: got both, expected one; a folder that is resumed is written to itself")
    folder = None if resume is None else StudyFolder.open(Path(resume))
    if source is None:
        if folder is None:
            raise InputError("name the study, a YAML file, or the folder of one to resume")
        source = folder.config
    arguments = {**workers_as_key(workers), **arguments}
    study = definition.load(source, overrides, arguments=arguments, plugins=plugins)
    return _carried_out(study, folder, Path(out) if out is not None else None, quiet=quiet)


def _carried_out(study: Study, folder: StudyFolder | None, out: Path | None, *, quiet: bool) -> Comparison:
    """Make the runs that are missing in a folder, or in a new one, and write the report."""
    whole, joint = definition.resolved(study)
    groups = _by_classifier(whole)
    for group in groups[1:]:  # what cannot begin fails before a folder is made, in the last group as in the first
        Bench(serially(group)).close()
    with Bench(groups[0]) as bench:
        if folder is None:
            folder = StudyFolder.new(study.name, study.data(), out)
        with folder.locked():
            session = _Session(whole, joint, folder, quiet=quiet)
            folder.write(StudyFolder.FILE, as_yaml(study.data()))  # perhaps with more seeds than when it was made
            try:
                session.evolve(bench, groups)
                outcome = session.outcome()
                analysis = write(outcome, folder)
            except BaseException as error:
                raise _left_behind(error, folder) from error
    return Comparison(outcome, analysis, folder.path)


class _Session:
    """One session of work on a study."""

    def __init__(self, study: Study, joint: frozenset[str], folder: StudyFolder, *, quiet: bool) -> None:
        self.study, self.joint, self.folder, self.quiet = study, joint, folder, quiet
        self.records = Records(folder.variants)
        self.budgets = {name: each.stop.evaluations or 0 for name, each in study.variants.items()}
        self.points = grid(max(self.budgets.values()))
        self.found: dict[Key, Record] = {}
        self.failed: dict[str, str] = {}
        self.starts: dict[str, bytes] = {}

    def evolve(self, bench: Bench, groups: Sequence[dict[str, Experiment]]) -> None:
        """Make the missing runs, of the variants of one classifier after those of another."""
        self._evolve(bench, alone=len(groups) == 1)
        bench.close()
        for group in groups[1:]:
            with Bench(group) as another:
                self._evolve(another, alone=False)

    def outcome(self) -> Outcome:
        """Return what was found, by this session and those before."""
        records = [record for record in self.found.values() if record.row.variant not in self.failed]
        return Outcome(
            name=self.study.name,
            classifier=" and ".join(sorted({_classifier(each) for each in self.study.variants.values()})),
            goal=self.study.goal,
            budget=self.study.budget,
            runs=rows(records),
            grid=self.points,
            curves={record.key: record.curve for record in records},
            images={record.key: record.image for record in records},
            joint=self.joint - set(self.failed),
            paired=len({start for name, start in self.starts.items() if name not in self.failed}) == 1,
            failed=dict(sorted(self.failed.items())),
            extended=self.folder.extended_by({record.key for record in records}),
            tried=self.study.tried if self.study.tried not in self.failed else None,
        )

    def _evolve(self, bench: Bench, *, alone: bool) -> None:
        self.starts |= bench.starts
        digest = bench.crew.work.digest
        belongs_to = {
            name: {"experiment": self.study.variants[name].digest, "classifier": digest} for name in bench.starts
        }
        missing = [run for run in bench.runs if not self._known(run, belongs_to[run.variant])]
        board = Board(bench.runs, set(bench.runs) - set(missing), self.budgets, quiet=self.quiet)
        board.say(f"{self.study.name}: {_counted(bench.runs, missing)}; in {self.folder.path}")
        failures: dict[RunInfo, FooldeapError] = {}
        timings = Timings(self.folder.path / "timings.csv")
        try:
            with board, contextlib.closing(bench.evolve(missing, self.folder.journals, board, timings)) as all_ended:
                for ended in all_ended:
                    board.ended(ended.info, ended.results, failed=ended.failure is not None)
                    if ended.failure is None:
                        self._keep(ended, belongs_to[ended.info.variant])
                    else:
                        failures[ended.info] = ended.failure
        except PluginError as error:  # the classifier's
            if alone:
                raise
            failures |= dict.fromkeys(missing, error)
        self._note(failures)
        for message in bench.executor.complaints():
            warn(message)

    def _known(self, run: RunInfo, belongs_to: dict[str, str]) -> bool:
        records = self.records.read(run, belongs_to)
        self.found |= {record.key: record for record in records or ()}
        return records is not None

    def _keep(self, ended: Ended, belongs_to: dict[str, str]) -> None:
        """Keep the record of a run in place of its journal."""
        records = self.records.keep(ended, self.budgets[ended.info.variant], self.points, belongs_to)
        self.found |= {record.key: record for record in records}
        (self.folder.journals / ended.info.journal).unlink(missing_ok=True)

    def _note(self, failures: Mapping[RunInfo, FooldeapError]) -> None:
        """Note why variants failed, by the first run of each, and leave the traceback."""
        for run in sorted(failures, key=lambda run: (run.variant, run.seed, run.targets)):
            if run.variant not in self.failed:
                self.failed[run.variant] = str(failures[run])
                told = "".join(traceback.format_exception(failures[run]))
                log = self.folder.write(f"variants/{run.variant}/error.log", told)
                warn(f"{run.variant} failed: {failures[run]}; the traceback is in {log}")


def write(outcome: Outcome, folder: StudyFolder) -> Any:
    """Write everything that follows from an outcome, and return its analysis."""
    from fooldeap.study import analysis as analyses
    from fooldeap.study import figures, report, tables

    analysis = analyses.analyse(outcome)
    # The summary comes first: it tells a session after this one that runs were added, even if this one ends here.
    folder.write(SUMMARY, tables.summary_json(outcome, analysis))
    folder.write(RUNS, tables.runs_csv(outcome))
    folder.write("curves.csv", tables.curves_csv(outcome))
    folder.write("report.md", report.markdown(outcome, analysis))
    for name, text in tables.latex(outcome, analysis).items():
        folder.write(f"tables/{name}", text)
    for name, picture in figures.draw(outcome, analysis.ranks, analysis.p_values).items():
        folder.write(f"figures/{name}", picture)
    return analysis


def serially(experiments: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Return experiments as they are evaluated in this process alone."""
    serial = config.load({"executor": "serial"}).executor
    return {name: replace(each, executor=serial) for name, each in experiments.items()}


def _by_classifier(study: Study) -> list[dict[str, Experiment]]:
    """Return the variants in groups that share a classifier."""
    groups: dict[str, dict[str, Experiment]] = {}
    for name, experiment in study.variants.items():
        key = json.dumps([experiment.classifier.data(), experiment.dataset and experiment.dataset.data()])
        groups.setdefault(key, {})[name] = experiment
    return list(groups.values())


def _classifier(experiment: Experiment) -> str:
    choice = experiment.classifier
    return Path(str(choice.values.get("model", choice.plugin.name))).stem


def _counted(runs: Sequence[RunInfo], missing: Sequence[RunInfo]) -> str:
    already = f", {len(runs) - len(missing)} of them made already" if len(missing) < len(runs) else ""
    return f"{len(runs)} runs of {len({run.variant for run in runs})} variants{already}"


def _left_behind(error: BaseException, folder: StudyFolder) -> BaseException:
    """Leave the traceback in the folder, and say where it is and how to go on."""
    return left_behind(error, folder, "fooldeap compare --resume")
