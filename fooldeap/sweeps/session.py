"""Run a sweep, one combination after the other: the function `sweep`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fooldeap.configuration import config
from fooldeap.engine.calibration import Calibration
from fooldeap.errors import InputError
from fooldeap.formatting import counted, percent
from fooldeap.options import Options
from fooldeap.report import html, markdown, notebook, terminal
from fooldeap.report import run as run_page
from fooldeap.report.common import complete
from fooldeap.report.model import Report
from fooldeap.results import Result, as_frame
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import Folder
from fooldeap.runs.forecast import in_one_process
from fooldeap.runs.run_folder import RunFolder
from fooldeap.runs.run_folder import load as load_result
from fooldeap.runs.session import Session, left_behind, warn
from fooldeap.sweeps import definition, results
from fooldeap.sweeps.definition import Combination, Source, Sweep
from fooldeap.sweeps.results import Row
from fooldeap.terminal_text import printable


class SweepFolder(Folder):
    """The folder of a sweep; it contains the folder of an experiment for each combination."""

    FILE = "sweep.yaml"
    LAST = "sweep.json"
    MADE_BY = "fooldeap run"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its folder, one row for each combination, and its report. ``failed`` counts failed runs."""

    folder: Path
    rows: tuple[Row, ...]
    report: Report = field(repr=False)
    failed: int = 0

    def __str__(self) -> str:
        return terminal.render(self.report)

    def _repr_html_(self) -> str:
        return notebook.report_html(self.report, self.folder)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each combination, as in ``results.csv``."""
        return as_frame(
            {**row.values, **{key: each for key, each in row.data().items() if key != "values"}} for row in self.rows
        )

    def load(self, row: Row) -> Result:
        """Return the result of a combination, as `fooldeap.load` does."""
        return load_result(self.folder / row.folder)


def sweep(
    source: Source | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | Literal["auto"] | None = None,
    quiet: bool = False,
    trust_model: bool = False,
    no_plugins: bool = False,
    force: bool = False,
    **arguments: Any,
) -> SweepResult:
    """Run an experiment for each combination of values, and return the results. All files are written to one folder.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping; None with ``resume``
    overrides : as on the command line, ``"mutation.rate=0.01,0.1"``
    out : the folder to write; None: the next free folder below ``runs/<name>/``
    resume : the folder of an earlier session; finished combinations are skipped
    plugins, workers, quiet, trust_model, no_plugins, force : as for `fooldeap.run` and `fooldeap.resume`
    arguments : top-level keys of the file, ``sweep={"mutation.rate": [0.01, 0.1]}``

    Raises
    ------
    InputError
        The input is invalid. Nothing was written.
    RunError
        A run failed. The folder is kept and can be resumed.
    """
    options, executor = Options(trust_model, no_plugins, force), config.executor_for(workers)
    if resume is None:
        if source is None:
            raise InputError("got no experiment, expected a YAML file, or a folder to resume")
        loaded = definition.load(
            source, overrides, arguments={**executor, **arguments}, plugins=plugins, options=options
        )
        return _Session(loaded, quiet=quiet).start(Path(out) if out is not None else None)
    if source is not None or out is not None or overrides or arguments:
        raise InputError(
            "--resume: a sweep is resumed without overrides, CONFIG and --out; its folder contains its configuration"
        )
    folder = SweepFolder.open(Path(resume), force=force)
    restored = definition.restore(folder.config, plugins=plugins, arguments=executor, options=options)
    return _Session(restored, quiet=quiet).resume(folder)


class _Session:
    """One session of a sweep."""

    def __init__(self, sweep: Sweep, *, quiet: bool) -> None:
        self.sweep, self.quiet = sweep, quiet
        self.calibrations: dict[str, Calibration] = {}
        self.failed = 0

    def start(self, out: Path | None) -> SweepResult:
        """Check all combinations, create the folder, and run."""
        for experiment in self.sweep.experiments:
            for text in config.unused_operators(experiment):
                warn(text)
        for group in self.sweep.groups:  # rehearses all combinations before anything is written
            with Session({label: in_one_process(each) for label, each in group.items()}, strict=group) as session:
                self.calibrations |= dict.fromkeys(group, session.calibration)
        folder = SweepFolder.new(self.sweep.name, self.sweep.data(), out, self.sweep.experiments)
        return self.resume(folder)

    def resume(self, folder: SweepFolder) -> SweepResult:
        """Run the combinations that are not finished, and write the results."""
        if folder.finished and all(RunFolder(folder.path / each.label).settled for each in self.sweep.combinations):
            return self._result(folder, [self._read(folder, each) for each in self.sweep.combinations])
        with folder.locked():
            folder.environment.check(self.sweep.experiments)
            folder.unseal()
            try:
                self._print(
                    f"{self.sweep.name}: {counted(len(self.sweep.combinations), 'combination')}; in {folder.path}"
                )
                result = self._write(folder, [self._row(folder, each) for each in self.sweep.combinations])
                folder.seal()
            except BaseException as error:
                raise left_behind(error, folder, "fooldeap run --resume") from error
        return result

    def _row(self, folder: SweepFolder, combination: Combination) -> tuple[Row, dict[str, Any]]:
        """Return the result of a combination; run or resume it if necessary."""
        self._evolve(folder.path / combination.label, combination)
        row, result = self._read(folder, combination)
        self.failed += len(result.get("failures", ()))
        reached = f"{row.reached} of {counted(row.runs, 'image')} reached the goal"
        said = f"{reached}; median confidence {percent(row.confidence)}; {counted(row.evaluations, 'evaluation')}"
        self._print(f"  {combination.label}: {said}")
        return row, result

    def _read(self, folder: SweepFolder, combination: Combination) -> tuple[Row, dict[str, Any]]:
        return results.read_row(folder.path, combination.label, combination.values)

    def _evolve(self, path: Path, combination: Combination) -> None:
        experiment = combination.experiment
        existing = RunFolder.open_existing(path, force=experiment.options.force)
        if existing is not None and existing.settled:
            return
        calibration = self.calibrations.get(combination.label)
        rows = existing.rows if existing is not None else None
        with ExperimentSession(experiment, rows=rows, calibration=calibration) as prepared:
            self._keep_calibration(combination.label, prepared.calibration)
            folder = existing or RunFolder.create(experiment, path)
            result = prepared.run(folder, resumed=existing is not None, quiet=True, owned=True)
        if experiment.report:
            run_page.write(folder, result)

    def _keep_calibration(self, label: str, calibration: Calibration) -> None:
        """Use the calibration of a classifier for all combinations with it, so that it is measured only once."""
        group = next(each for each in self.sweep.groups if label in each)
        self.calibrations |= dict.fromkeys(group, calibration)

    def _write(self, folder: SweepFolder, found: list[tuple[Row, dict[str, Any]]]) -> SweepResult:
        result = self._result(folder, found)
        rows, report = result.rows, result.report
        folder.write("results.csv", results.csv(self.sweep, rows))
        folder.write("table.md", markdown.render(report))
        folder.write(report.FILE, report.to_json())
        content = {"name": self.sweep.name, "combinations": [row.data() for row in rows]}
        folder.write(folder.LAST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        if any(each.report for each in self.sweep.experiments):
            html.write_page(folder, lambda: complete(report, folder.path, folder.FILE))
        return result

    def _result(self, folder: SweepFolder, found: list[tuple[Row, dict[str, Any]]]) -> SweepResult:
        rows = tuple(row for row, _ in found)
        report = results.build_report(self.sweep, rows, [result for _, result in found])
        return SweepResult(folder.path, rows, report, self.failed)

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(printable(text), flush=True)
