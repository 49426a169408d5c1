"""Run a study and write its report: the command ``fooldeap compare`` and the function `compare`."""

import contextlib
import json
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fooldeap.configuration import config
from fooldeap.configuration.writing import as_yaml
from fooldeap.errors import FooldeapError, InputError, PluginError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.report import latex, markdown, notebook, terminal
from fooldeap.report.common import complete
from fooldeap.report.html import write_page
from fooldeap.report.model import Report
from fooldeap.results import RunInfo, as_frame
from fooldeap.runs.session import Session, left_behind, warn
from fooldeap.runs.worker_task import RunOutcome
from fooldeap.storage.files import remove
from fooldeap.storage.timings import Timings
from fooldeap.study import definition, extension, figures, plugin_comparison, tables, transfer
from fooldeap.study.analysis import analyse, p_values
from fooldeap.study.analysis_types import Analysis
from fooldeap.study.definition import Source, Study
from fooldeap.study.outcome import Outcome
from fooldeap.study.plan import DESIGN, ClassifierGroup, Plan, StudyFolder, name_classifiers, plan, revise_design
from fooldeap.study.progress import Progress
from fooldeap.study.records import grid, sorted_rows
from fooldeap.study.report import build_report
from fooldeap.study.transfer import Transfer
from fooldeap.terminal_text import printable


@dataclass(frozen=True)
class Comparison:
    """A finished study: its results (`Outcome`), its statistics (`Analysis`), its folder and its report."""

    outcome: Outcome
    analysis: Analysis
    folder: Path
    report: Report = field(repr=False)

    def __str__(self) -> str:
        return terminal.render(self.report)

    def _repr_markdown_(self) -> str:
        return markdown.render(self.report)

    def _repr_html_(self) -> str:
        return notebook.report_html(self.report, self.folder)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each run, as in ``runs.csv``."""
        return as_frame(run._asdict() for run in self.outcome.runs)


def compare(
    source: Source | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugin_file: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    quiet: bool = False,
    trust_model: bool = False,
    no_plugins: bool = False,
    force: bool = False,
    **arguments: Any,
) -> Comparison:
    """Run a study and return the comparison. All files are written to the folder ``comparison.folder``.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping; None: the study in the folder ``resume``, or the study that
        compares ``plugin_file``
    overrides : overrides as on the command line, for example ``"seeds=3"``
    out : the folder to write; None: the next free folder below ``runs/<name>/``
    resume : the folder of an earlier session; only its missing runs are made
    plugin_file : a file with a plugin to compare with the stock plugins of its kind, instead of ``source``
    plugins, workers, trust_model, no_plugins, arguments : as for `fooldeap.run`
    force : resume although packages, plugins or the study have changed; the report says so
    quiet : show nothing on screen

    Raises
    ------
    InputError
        The input is invalid. Nothing was written.
    RunError
        The study failed after it had started. The folder is kept, and the study can be resumed.
    """
    study = load(
        source,
        *overrides,
        out=out,
        resume=resume,
        plugin_file=plugin_file,
        plugins=plugins,
        workers=workers,
        options=Options(trust_model, no_plugins, force),
        **arguments,
    )
    folder = None if resume is None else StudyFolder.open(Path(resume), force=force)
    return carry_out(study, folder, Path(out) if out is not None else None, quiet=quiet)


def load(
    source: Source | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugin_file: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    options: Options = NO_OPTIONS,
    **arguments: Any,
) -> Study:
    """Load and check the study that `compare` would run. The parameters are those of `compare`."""
    if resume is not None and out is not None:
        raise InputError("--out and --resume: got both, expected one; a resumed study is written to its own folder")
    if source is not None and plugin_file is not None:
        raise InputError("--try: got a study too, expected none; --try uses its own study")
    # A study has enough runs to keep every worker busy.
    arguments = {**config.executor_for(workers, mode="runs"), **arguments}
    if plugin_file is not None:
        return plugin_comparison.load(Path(plugin_file), overrides, arguments, plugins, options)
    if source is None:
        if resume is None:
            raise InputError("got no study, expected a YAML file: fooldeap compare configs/studies/selection.yaml")
        extension.check_keys(overrides, arguments)
        source = StudyFolder.open(Path(resume), force=options.force).config
    return definition.load(source, overrides, arguments=arguments, plugins=plugins, options=options)


def carry_out(
    study: Study, folder: StudyFolder | None = None, out: Path | None = None, *, quiet: bool = False
) -> Comparison:
    """Make the missing runs of a study and write the report, in an existing folder or a new one."""
    with contextlib.ExitStack() as stack:
        if folder is not None:
            study = extension.extended(study, folder)
            stack.enter_context(folder.locked())
            folder.environment.check(study.variants.values())
        planned = plan(study, folder, stack)
        if folder is None:
            folder = StudyFolder.new(study.name, study.data(), out, study.variants.values())
            stack.enter_context(folder.locked())
        design = revise_design(planned, folder)
        folder.unseal()
        extension.record(folder)
        # The study may have more seeds than before.
        folder.environment.write_noted(StudyFolder.FILE, as_yaml(study.data()), paths=True)
        folder.environment.write_noted(DESIGN, json.dumps(design, indent=1) + "\n")
        try:
            work = _Work(planned, folder, quiet=quiet)
            work.evolve()
            outcome = outcome_of(planned, folder, work.failed, extended=design["extended"])
            analysis, report = write(outcome, folder, crossed(planned, outcome, folder.recording))
            if study.common.report:
                write_page(folder, lambda: complete(report, folder.path, folder.FILE))
            folder.seal()
        except BaseException as error:
            raise left_behind(error, folder, "fooldeap compare --resume") from error
    return Comparison(outcome, analysis, folder.path, report)


class _Work:
    """Makes the missing runs of a study. ``failed`` are the errors of failed variants."""

    def __init__(self, plan: Plan, folder: StudyFolder, *, quiet: bool) -> None:
        self.plan, self.folder, self.quiet = plan, folder, quiet
        self.failed: dict[str, str] = {}

    def evolve(self) -> None:
        """Make the missing runs, one classifier after the other."""
        for group in self.plan.groups:
            done = set(group.runs) - set(group.missing)
            self._remove_journals(done)
            progress = Progress(group.runs, done, self.plan.budgets, quiet=self.quiet)
            progress.say(f"{self.plan.study.name}: {self._describe_runs(group)}; in {self.folder.path}")
            if not group.missing:
                continue
            with self.plan.open_session(group) as session:
                self._evolve(group, session, progress)

    def _evolve(self, group: ClassifierGroup, session: Session, progress: Progress) -> None:
        failures: dict[RunInfo, FooldeapError] = {}
        journals, timings = self.folder.journals, Timings(self.folder.path / "timings.csv")
        try:
            with (
                self.folder.recording(session.evaluator) as log,
                progress,
                contextlib.closing(session.evolve(group.missing, journals, progress, timings, log)) as all_ended,
            ):
                for ended in all_ended:
                    progress.ended(ended.info, ended.results, failed=ended.failure is not None)
                    if ended.failure is None:
                        self._keep_record(ended, group.belongs_to[ended.info.variant])
                    else:
                        failures[ended.info] = ended.failure
        except PluginError as error:  # raised by the classifier, so all its variants failed
            if len(self.plan.groups) == 1:
                raise
            failures |= dict.fromkeys(group.missing, error)
        self._report_failures(group, failures)
        for message in session.executor.complaints():
            warn(message)

    def _remove_journals(self, done: Iterable[RunInfo]) -> None:
        """Remove journals of runs that have a record: a session that is killed between the two leaves them."""
        for run in () if self.plan.study.common.keep_journals else done:
            remove(self.folder.path / "journal" / run.journal)

    def _keep_record(self, ended: RunOutcome, belongs_to: Mapping[str, str]) -> None:
        """Replace the journal of a run by its record. With ``keep_journals``, the journal stays."""
        film = ended.info.seed == self.plan.study.common.seed  # the page plays the runs of the first seed
        records = self.folder.records.keep(ended, self.plan.budgets[ended.info.variant], belongs_to, film=film)
        self.plan.found |= {record.key: record for record in records}
        if not self.plan.study.common.keep_journals:
            remove(self.folder.journals / ended.info.journal)

    def _describe_runs(self, group: ClassifierGroup) -> str:
        variants, done = len(group.experiments), len(group.runs) - len(group.missing)
        already = f", {done} of them already made" if done else ""
        on = f" on {name_classifiers(group.experiments.values())}" if len(self.plan.groups) > 1 else ""
        return f"{len(group.runs)} runs of {variants} {'variant' if variants == 1 else 'variants'}{on}{already}"

    def _report_failures(self, group: ClassifierGroup, failures: Mapping[RunInfo, FooldeapError]) -> None:
        """Record the error of the first failed run of each variant, write its traceback to a file, and warn."""
        for name in group.experiments:
            remove(self.folder.path / f"variants/{name}/error.log")  # written by an earlier session
        for run in sorted(failures, key=lambda run: (run.variant, run.seed, run.targets)):
            if run.variant not in self.failed:
                self.failed[run.variant] = str(failures[run])
                text = printable("".join(traceback.format_exception(failures[run])))
                log = self.folder.write(f"variants/{run.variant}/error.log", text)
                warn(f"{run.variant} failed: {failures[run]}; the traceback is in {log}")


def outcome_of(plan: Plan, folder: StudyFolder, failed: Mapping[str, str], *, extended: bool) -> Outcome:
    """Return the results of a study from the records of the plan, whatever session made them."""
    study, budgets = plan.study, plan.budgets
    records = [record for record in plan.found.values() if record.row.variant not in failed]
    points = grid(max(budgets.values()))
    return Outcome(
        name=study.name,
        classifier=name_classifiers(study.variants.values()),
        goal=study.goal,
        budget=study.budget,
        runs=sorted_rows(records),
        grid=points,
        curves={record.key: record.curve(points) for record in records},
        images={record.key: record.image for record in records},
        joint=plan.joint - set(failed),
        paired=plan.paired,
        failed=dict(sorted(failed.items())),
        extended=extended,
        left_out=folder.records.left_out(run for group in plan.groups for run in group.runs),
        forced=tuple(folder.environment.forced),
        candidate=study.candidate,
        factors=study.factors,
        names={name: group.names for group in plan.groups for name in group.experiments},
    )


def crossed(plan: Plan, outcome: Outcome, recorder: transfer.Recorder = contextlib.nullcontext) -> Transfer | None:
    """Show every image to every classifier of the study and return the answers; None if there is one classifier."""
    return transfer.show_images(outcome, [group.experiments for group in plan.groups], recorder)


def texts(folder: StudyFolder, outcome: Outcome, analysis: Analysis, report: Report) -> dict[str, str]:
    """Return the text files of a study by file name: tables, summary and report."""
    made = {
        "runs.csv": tables.runs_csv(outcome),
        "curves.csv": tables.curves_csv(outcome),
        "summary.json": tables.summary_json(outcome, analysis),
        Report.FILE: report.to_json(),
        "report.md": markdown.render(complete(report, folder.path, folder.FILE)),
        **{f"tables/{name}": text for name, text in latex.render(report).items()},
    }
    if outcome.factors:
        made["factors.csv"] = tables.factors_csv(outcome)
    return made


def write(outcome: Outcome, folder: StudyFolder, crossed: Transfer | None = None) -> tuple[Analysis, Report]:
    """Analyse an outcome, write its tables, figures and report, and return the analysis and the report."""
    analysis = analyse(outcome)
    report = build_report(outcome, analysis, crossed)
    ranks = {variant.name: variant.mean_rank for variant in analysis.variants}
    pictures = figures.draw(outcome, ranks, p_values(outcome, analysis), crossed, analysis.factors)
    made: dict[str, str | bytes] = {
        **texts(folder, outcome, analysis, report),
        **({} if crossed is None else {"transfer.csv": crossed.csv()}),
        **{f"figures/{name}": picture for name, picture in pictures.items()},
    }
    for path in [*folder.path.glob("tables/*"), *folder.path.glob("figures/*")]:
        if str(path.relative_to(folder.path)) not in made:  # left over from an earlier report
            remove(path)
    for name, content in made.items():
        folder.write(name, content)
    return analysis, report
