"""A study from its file to its report: what ``fooldeap compare`` and `compare` do."""

import contextlib
import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fooldeap import config, trust
from fooldeap.bench import Bench, left_behind, warn
from fooldeap.config import Experiment
from fooldeap.errors import FooldeapError, InputError, PluginError
from fooldeap.files import remove
from fooldeap.lines import printable
from fooldeap.results import RunInfo
from fooldeap.rundir import Folder, as_yaml
from fooldeap.study import definition, trial
from fooldeap.study.analysis import Analysis, analyse
from fooldeap.study.board import Board
from fooldeap.study.definition import Source, Study
from fooldeap.study.outcome import Floats, Outcome
from fooldeap.study.records import Key, Record, Records, grid, rows
from fooldeap.study.tables import read_runs
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

    def reported(self) -> "Reported | None":
        """Return what the last report was of, None before the first."""
        summary, runs = self.path / SUMMARY, self.path / RUNS
        if not summary.is_file() or not runs.is_file():
            return None
        try:
            extended = bool(json.loads(summary.read_text(encoding="utf-8"))["study"]["extended"])
            keys = {(row.variant, row.target, row.seed) for row in read_runs(runs.read_text(encoding="utf-8"))}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path}: {SUMMARY} or {RUNS} is damaged ({error}); remove both") from None
        return Reported(keys, extended)


class Reported(NamedTuple):
    """The runs of which a report was written, and whether it called itself extended."""

    runs: set[Key]
    extended: bool


@dataclass(frozen=True)
class Comparison:
    """A finished study: its `Outcome`, what can be said of it (`Analysis`), and its folder."""

    outcome: Outcome
    analysis: Analysis
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
    tried: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | Literal["auto"] | None = None,
    quiet: bool = False,
    trust_model: bool = False,
    no_plugins: bool = False,
    **arguments: Any,
) -> Comparison:
    """Carry out a study and return its outcome; everything is written to a folder, ``comparison.folder``.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping; None: what is in the folder to resume, or that of a trial
    overrides : words as on the command line, ``"seeds=3"``
    out : the folder; None: the next one below ``runs/<name>/``
    resume : the folder of an earlier session: only runs that are missing there are made
    tried : in place of a source, a file with a plugin, which is compared with the stock ones of its kind
    plugins, workers, trust_model, no_plugins, arguments : as for `fooldeap.run`
    quiet : show nothing on screen

    Raises
    ------
    InputError
        Something in the input is wrong; nothing was written.
    RunError
        It failed on the way; the folder is kept and can be resumed.
    """
    chosen: dict[str, Any] = {"out": out, "resume": resume, "tried": tried, "plugins": plugins, "workers": workers}
    with trust.trusting(model=trust_model, no_plugins=no_plugins):
        study = load(source, *overrides, **chosen, **arguments)
        folder = None if resume is None else StudyFolder.open(Path(resume))
        return carry_out(study, folder, Path(out) if out is not None else None, quiet=quiet)


def load(
    source: Source | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    tried: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | Literal["auto"] | None = None,
    **arguments: Any,
) -> Study:
    """Return the study that `compare` would carry out."""
    if resume is not None and out is not None:
        raise InputError("--out and --resume: got both, expected one; a folder that is resumed is written to itself")
    if source is not None and tried is not None:
        raise InputError("--try: got a study as well, expected one of them; a trial brings its own study")
    if workers is not None:  # a study has runs enough for everybody
        arguments = {"executor": {"name": "scoop", "workers": workers, "mode": "runs"}, **arguments}
    if tried is not None:
        return trial.load(Path(tried), overrides, arguments, plugins)
    if source is None:
        if resume is None:
            raise InputError("name the study, a YAML file: fooldeap compare configs/studies/selection.yaml")
        source = StudyFolder.open(Path(resume)).config
    return definition.load(source, overrides, arguments=arguments, plugins=plugins)


def carry_out(
    study: Study, folder: StudyFolder | None = None, out: Path | None = None, *, quiet: bool = False
) -> Comparison:
    """Make the runs that are missing in a folder, or in a new one, and write the report."""
    whole, joint = definition.resolved(study)
    groups = by_classifier(whole)
    for group in groups[1:]:  # what cannot begin fails before a folder is made, in the last group as in the first
        Bench(serially(group)).close()
    with Bench(groups[0]) as bench:
        if folder is None:
            folder = StudyFolder.new(study.name, study.data(), out)
        with folder.locked():
            session = _Session(whole, joint, folder, quiet=quiet)
            missing = session.missing(bench)  # what cannot be resumed is refused before anything is touched
            folder.unseal()
            folder.write_noted(StudyFolder.FILE, as_yaml(study.data()))  # perhaps with more seeds than when it was made
            try:
                session.evolve(bench, missing, groups[1:])
                outcome = session.outcome()
                analysis = write(outcome, folder)
                folder.seal()
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
        self.reported = folder.reported()

    def missing(self, bench: Bench) -> list[RunInfo]:
        """Return the runs of which there is no record yet, and take in the others."""
        self.starts |= bench.starts
        return [run for run in bench.runs if not self._known(run, self._belongs_to(run, bench))]

    def evolve(self, bench: Bench, missing: list[RunInfo], groups: Sequence[dict[str, Experiment]]) -> None:
        """Make the missing runs, of the variants of one classifier and then of the other groups."""
        self._evolve(bench, missing, alone=not groups)
        bench.close()
        for group in groups:
            with Bench(group) as another:
                self._evolve(another, self.missing(another), alone=False)

    def outcome(self) -> Outcome:
        """Return what was found, by this session and those before."""
        before = self.reported
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
            extended=before is not None and (before.extended or before.runs != {record.key for record in records}),
            tried=self.study.tried if self.study.tried not in self.failed else None,
        )

    def _evolve(self, bench: Bench, missing: Sequence[RunInfo], *, alone: bool) -> None:
        board = Board(bench.runs, set(bench.runs) - set(missing), self.budgets, quiet=self.quiet)
        board.say(f"{self.study.name}: {_counted(bench.runs, missing)}; in {self.folder.path}")
        failures: dict[RunInfo, FooldeapError] = {}
        journals = self.folder.journals
        timings = Timings(self.folder.path / "timings.csv")
        try:
            with board, contextlib.closing(bench.evolve(missing, journals, board, timings)) as all_ended:
                for ended in all_ended:
                    board.ended(ended.info, ended.results, failed=ended.failure is not None)
                    if ended.failure is None:
                        self._keep(ended, self._belongs_to(ended.info, bench))
                    else:
                        failures[ended.info] = ended.failure
        except PluginError as error:  # the classifier's
            if alone:
                raise
            failures |= dict.fromkeys(missing, error)
        finally:
            self.folder.add_session(bench.ledger())
        self._note(failures)
        for message in bench.executor.complaints():
            warn(message)

    def _belongs_to(self, run: RunInfo, bench: Bench) -> dict[str, str]:
        return {"experiment": self.study.variants[run.variant].digest, "classifier": bench.crew.work.digest}

    def _known(self, run: RunInfo, belongs_to: dict[str, str]) -> bool:
        records = self.records.read(run, belongs_to)
        self.found |= {record.key: record for record in records or ()}
        return records is not None

    def _keep(self, ended: Ended, belongs_to: dict[str, str]) -> None:
        """Keep the record of a run in place of its journal."""
        records = self.records.keep(ended, self.budgets[ended.info.variant], self.points, belongs_to)
        self.found |= {record.key: record for record in records}
        remove(self.folder.journals / ended.info.journal)

    def _note(self, failures: Mapping[RunInfo, FooldeapError]) -> None:
        """Note why variants failed, by the first run of each, and leave the traceback."""
        for run in sorted(failures, key=lambda run: (run.variant, run.seed, run.targets)):
            if run.variant not in self.failed:
                self.failed[run.variant] = str(failures[run])
                told = printable("".join(traceback.format_exception(failures[run])))
                log = self.folder.write(f"variants/{run.variant}/error.log", told)
                warn(f"{run.variant} failed: {failures[run]}; the traceback is in {log}")


def write(outcome: Outcome, folder: StudyFolder) -> Analysis:
    """Write everything that follows from an outcome, and return its analysis."""
    from fooldeap.study import figures, report, tables

    analysis = analyse(outcome)
    # The summary comes first: it tells a session after this one that runs were added, even if this one ends here.
    folder.write_noted(SUMMARY, tables.summary_json(outcome, analysis))
    folder.write_noted(RUNS, tables.runs_csv(outcome))
    folder.write("curves.csv", tables.curves_csv(outcome))
    folder.write("report.md", report.markdown(outcome, analysis))
    for name, text in tables.latex(outcome, analysis).items():
        folder.write(f"tables/{name}", text)
    ranks = {variant.name: variant.mean_rank for variant in analysis.variants}
    for name, picture in figures.draw(outcome, ranks, _p_values(outcome, analysis)).items():
        folder.write(f"figures/{name}", picture)
    return analysis


def _p_values(outcome: Outcome, analysis: Analysis) -> Floats | None:
    """Return the matrix of p-values of pairs, after Holm; None where not all pairs were compared, or there is one."""
    names = {name: index for index, name in enumerate(outcome.variants)}
    if outcome.tried or len(names) < 3:
        return None
    matrix = np.ones((len(names), len(names)))
    for pair in analysis.pairs:
        one, other = names[pair.first], names[pair.second]
        matrix[one, other] = matrix[other, one] = pair.p_holm
    return matrix


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


def _classifier(experiment: Experiment) -> str:
    choice = experiment.classifier
    return Path(str(choice.values.get("model", choice.plugin.name))).stem


def _counted(runs: Sequence[RunInfo], missing: Sequence[RunInfo]) -> str:
    already = f", {len(runs) - len(missing)} of them made already" if len(missing) < len(runs) else ""
    return f"{len(runs)} runs of {len({run.variant for run in runs})} variants{already}"


def _left_behind(error: BaseException, folder: StudyFolder) -> BaseException:
    """Leave the traceback in the folder, and say where it is and how to go on."""
    return left_behind(error, folder, "fooldeap compare --resume")
