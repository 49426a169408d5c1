"""Carries out a tuning, from its file to its report: the command ``fooldeap tune`` and the function `tune`."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from fooldeap import registry as registries
from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.configuration.writing import as_yaml
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.report import markdown, terminal
from fooldeap.report.common import complete
from fooldeap.report.html import write_page
from fooldeap.report.model import Report
from fooldeap.runs.folder import QUERIES, Folder
from fooldeap.runs.session import left_behind
from fooldeap.storage.files import make_folders
from fooldeap.study import comparison
from fooldeap.study.comparison import Comparison
from fooldeap.study.definition import Source, Study
from fooldeap.study.plan import StudyFolder
from fooldeap.tuning import report
from fooldeap.tuning.instances import Arena, Network, digest_of, open_networks, recording
from fooldeap.tuning.outcome import Gain, Outcome, StrategyOutcome, gains, runs_csv, summary, trials_csv
from fooldeap.tuning.race import Race
from fooldeap.tuning.settings import Instances, Tuning, load
from fooldeap.tuning.trials import Trial, Trials, load_optuna, open_storage

JOURNAL = "optuna.journal"


class TuningFolder(Folder):
    """The folder of a tuning."""

    FILE = "tuning.yaml"
    LAST = "summary.json"
    MADE_BY = "fooldeap tune"

    def unseen(self, name: str) -> Path:
        """Return the folder of the study on a set of unseen instances."""
        return self.path / "unseen" / name


@dataclass(frozen=True)
class TuningResult:
    """The result of a tuning: the configurations, the gains on unseen instances, the folder and the report.

    ``outcome`` is None for a folder that was finished before.
    """

    outcome: Outcome | None
    folder: Path
    report: Report = field(repr=False)

    def __str__(self) -> str:
        return terminal.render(self.report)

    def _repr_markdown_(self) -> str:
        return markdown.render(self.report)


def tune(
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
) -> TuningResult:
    """Search the configuration with which an experiment needs the fewest images, and test it on unseen instances.

    Parameters
    ----------
    source : a tuning file, or its content as a mapping; None with ``resume``
    resume : the folder of an interrupted tuning. If the tuning is finished, its result is returned
    workers : the number of processes for the comparison on unseen instances; the search runs in this process
    others : as for `fooldeap.run`

    Raises
    ------
    InputError
        The input is invalid; nothing was written.
    RunError
        The tuning failed; the folder is kept and can be resumed.
    """
    if (source is None) == (resume is None):
        raise InputError("expected either a tuning file or the folder of an interrupted tuning: --resume DIR")
    load_optuna()
    options = Options(trust_model, no_plugins, force)
    folder = None
    if resume is not None:
        if out is not None:
            raise InputError(
                "--out and --resume: got both, expected one; a resumed tuning is written to its own folder"
            )
        for key in [*overrides, *arguments]:
            raise InputError(f"--resume: got {key!r}, expected no keys, because a tuning continues as it was started")
        folder = TuningFolder.open(Path(resume), force=force)
        if folder.finished:
            return TuningResult(None, folder.path, Report.read(folder.path))
    arguments = {**config.executor_for(workers, mode="runs"), **arguments}
    tuning = load(
        folder.config if folder is not None else source or {},
        overrides,
        arguments=arguments,
        plugins=registries.each(plugins),
        options=options,
    )
    work = _Work(tuning, quiet=quiet)
    with open_networks(tuning) as networks:
        arenas = work.arenas(networks)
        if folder is None:
            path = Path(out) if out is not None else None
            folder = TuningFolder.new(tuning.name, tuning.data(), path, work.experiments)
        with folder.locked():
            folder.environment.check(work.experiments)
            folder.environment.check_classifier(digest_of(networks))
            try:
                work.search(folder, networks, arenas)
            except BaseException as error:
                raise left_behind(error, folder, "fooldeap tune --resume") from error
    with folder.locked():
        try:
            return work.finish(folder)
        except BaseException as error:
            raise left_behind(error, folder, "fooldeap tune --resume") from error


class _Work:
    """One session of a tuning."""

    def __init__(self, tuning: Tuning, *, quiet: bool) -> None:
        self.tuning, self.quiet = tuning, quiet
        self.found: list[StrategyOutcome] = []

    @property
    def experiments(self) -> list[Experiment]:
        """The initial experiment of each strategy."""
        return [each.initial for each in self.tuning.strategies.values()]

    def arenas(self, networks: Sequence[Network]) -> list[Arena]:
        """Return the instances of each strategy.

        Raises
        ------
        InputError
            The images do not suffice for the initial configuration, or a strategy cannot start.
        """
        found = [Arena(self.tuning, each, networks) for each in self.tuning.strategies.values()]
        for each in found:
            least = len(each.instances) * each.run_budget
            if self.tuning.images < least:
                message = f"got {self.tuning.images}, expected at least {least}"
                why = f"the initial configuration alone may need {len(each.instances)} runs of {each.run_budget} images"
                raise self.tuning.document.error(("images",), f"{message}: {why}")
            each.check({"configuration": each.strategy.initial})
        return found

    def search(self, folder: TuningFolder, networks: Sequence[Network], arenas: Sequence[Arena]) -> None:
        """Search the best configuration of each strategy."""
        folder.unseal()
        storage = open_storage(folder.path / JOURNAL)
        seed = self.tuning.common.seed
        with QueryLog(folder.path / QUERIES) as log, recording(log, networks):
            for arena in arenas:
                strategy = arena.strategy
                trials = Trials(storage, strategy.name or "tuning", strategy.space, seed, force=folder.force)
                shown = _Progress(self.tuning, arena, trials, quiet=self.quiet)
                Race(arena, trials, self.tuning.images, self.tuning.block, shown).run()
                self.found.append(StrategyOutcome(strategy, arena.instances, tuple(trials.all()), arena.budget))

    def finish(self, folder: TuningFolder) -> TuningResult:
        """Compare the configurations on unseen instances, and write the results and the report."""
        studies = dict(self._compare(folder))
        found: list[Gain] = gains(self.found, {name: each.analysis for name, each in studies.items()})
        outcome = Outcome(self.tuning, tuple(self.found), tuple(found))
        built = report.build_report(outcome)
        for name, content in texts(outcome).items():
            folder.write(name, content)
        folder.write(built.FILE, built.to_json())
        whole = complete(built, folder.path, folder.FILE)
        folder.write("report.md", markdown.render(whole))
        folder.write(folder.LAST, json.dumps(summary(outcome), indent=1) + "\n")
        if self.tuning.common.report:
            write_page(folder, lambda: whole)
        folder.seal()
        return TuningResult(outcome, folder.path, built)

    def _compare(self, folder: TuningFolder) -> Iterator[tuple[str, Comparison]]:
        """Yield a study for each set of unseen instances, unless nothing better was found."""
        if all(each.best.number == 0 for each in self.found):
            return
        for name, instances in self.tuning.unseen.items():
            path = folder.unseen(name)
            make_folders(folder.path, path.parent)
            study = study_of(self.tuning, self.found, name, instances)
            yield name, comparison.carry_out(study, StudyFolder.open_existing(path), path, quiet=self.quiet)


def study_of(tuning: Tuning, found: Sequence[StrategyOutcome], name: str, instances: Instances) -> Study:
    """Return the study that compares tuned and initial configurations on a set of unseen instances."""
    variants: dict[str, Experiment] = {}
    levels: dict[str, dict[str, str]] = {"strategy": {}, "configuration": {}}
    for each in found:
        for level, experiment in each.configurations().items():
            variant = each.variant(level)
            changed = instances.experiment(experiment, instances.classifiers[0])
            variants[variant] = replace(changed, name=f"{tuning.name}-{name}"[:64])
            levels["strategy"][variant], levels["configuration"][variant] = each.strategy.name, level
    single = len(found) == 1
    whole = len(variants) == 2 * len(found) and not single
    return Study(
        next(iter(variants.values())).name,
        variants,
        tuning.budget,
        found[0].variant("tuned") if single else None,
        levels if whole else {},
    )


def texts(outcome: Outcome) -> dict[str, str]:
    """Return the tables and the best configurations by file name."""
    best = {
        f"best/{each.strategy.name}.yaml" if each.strategy.name else "best.yaml": as_yaml(each.best_experiment.data())
        for each in outcome.strategies
    }
    return {"trials.csv": trials_csv(outcome), "runs.csv": runs_csv(outcome), **best}


class _Progress:
    """Prints a line for each configuration."""

    def __init__(self, tuning: Tuning, arena: Arena, trials: Trials, *, quiet: bool) -> None:
        self.tuning, self.arena, self.trials, self.quiet = tuning, arena, trials, quiet
        self._named = f"{arena.strategy.name}: " if arena.strategy.name else ""

    def __call__(self, trial: Trial) -> None:
        if self.quiet:
            return
        every = self.trials.all()
        best = min((each for each in every if each.state == "complete"), key=lambda each: each.value or 0.0)
        runs = f"{len(trial.results)} of {len(self.arena.instances)} runs, {trial.state}"
        used, ratio = sum(each.images for each in every), 10 ** (best.value or 0.0)
        print(
            f"{self._named}trial {trial.number}: {runs}; best: trial {best.number} with {ratio:.3f} of the "
            f"initial images; {used:,} of {self.tuning.images:,} images",
            file=sys.stderr,
            flush=True,
        )
