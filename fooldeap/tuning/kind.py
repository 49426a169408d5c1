"""A tuning as a kind of YAML file and as a kind of folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fooldeap.configuration.experiment import Experiment
from fooldeap.errors import InputError
from fooldeap.extensions import FileKind
from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification
from fooldeap.result_tools.verify import notes
from fooldeap.runs.folder import problems_in
from fooldeap.storage.inputs import read
from fooldeap.study.kind import StudyKind
from fooldeap.study.plan import StudyFolder
from fooldeap.tuning import settings as tunings
from fooldeap.tuning.instances import Arena, FailedRunsError, Instance, Network, RunCost, open_networks
from fooldeap.tuning.outcome import Outcome, StrategyOutcome
from fooldeap.tuning.race import Race
from fooldeap.tuning.schema import schema
from fooldeap.tuning.session import JOURNAL, TuningFolder, texts
from fooldeap.tuning.settings import Strategy, Tuning
from fooldeap.tuning.trials import Trial, Trials, load_optuna, open_storage

FILE = FileKind("tune", tunings.KEYS, schema)


class TuningKind(FolderKind):
    """The folder of a tuning."""

    folder = TuningFolder
    query_logs = "**/queries.csv"

    def verify(self, folder: TuningFolder, settings: Settings) -> Verification:
        """Repeat the search with the stored results, repeat runs of the search, and verify the studies."""
        tuning = tunings.load(folder.config, **settings.loading())
        problems, found, counted = list(problems_in(folder.path)), list[StrategyOutcome](), [0, 0]
        storage = open_storage(folder.path / JOURNAL)
        with open_networks(tuning) as networks:
            for strategy in tuning.strategies.values():
                stored = Trials(
                    storage, strategy.name or "tuning", strategy.space, tuning.common.seed, force=True
                ).all()
                arena = Arena(tuning, strategy, networks)
                problems += _repeated(arena, stored, settings, counted)
                found.append(_replayed(tuning, strategy, networks, stored))
        for name, text in texts(Outcome(tuning, tuple(found), ())).items():
            path = folder.path / name
            # Paths in a configuration may have moved; the configurations are compared in trials.csv.
            if path.suffix == ".csv" and read(path) != text.encode():
                problems.append(f"{name}: differs from the one of the repeated search")
        for study in sorted(folder.path.glob("unseen/*")):
            verified = StudyKind().verify(StudyFolder.open_finished(study), settings)
            problems += [f"unseen/{study.name}: {each}" for each in verified.problems]
        checked = f"{folder.path}: {counted[0]} of {counted[1]} runs of the search, and the runs on unseen instances"
        return Verification(checked, tuple(problems), notes(folder, [each.strategy.initial for each in found]))

    def images(self, source: Source) -> Iterable[ExportedImage]:
        """Refuse the folder: the search keeps no images."""
        folder = source.folder
        raise InputError(
            f"{folder}: is a tuning, which keeps only the images on unseen instances; export one of its studies: "
            f"fooldeap export {folder}/unseen/NAME"
        )


class _StoredArena(Arena):
    """Answers with the stored results of a search instead of running anything."""

    def __init__(
        self, tuning: Tuning, strategy: Strategy, networks: Sequence[Network], stored: Sequence[Trial]
    ) -> None:
        super().__init__(tuning, strategy, networks)
        self._stored = {}
        for each in stored:
            if each.results or each.state == "failed":
                self._stored[strategy.experiment(each.values).digest] = each

    def evaluate(
        self, experiments: Mapping[str, Experiment], instances: Sequence[Instance]
    ) -> dict[tuple[str, Instance], RunCost]:
        (name, experiment), *_ = experiments.items()
        trial = self._stored.get(experiment.digest)
        if trial is None:
            raise InputError("is not stored")
        places = [self.instances.index(each) for each in instances]
        if trial.state == "failed" and places[-1] >= len(trial.results):
            raise FailedRunsError(trial.message)
        if places[-1] >= len(trial.results):
            raise InputError("is not stored")
        return {(name, each): trial.results[place] for each, place in zip(instances, places, strict=True)}


def _replayed(
    tuning: Tuning, strategy: Strategy, networks: Sequence[Network], stored: Sequence[Trial]
) -> StrategyOutcome:
    """Repeat a search with its stored results, up to the same number of configurations."""
    arena = _StoredArena(tuning, strategy, networks, stored)
    storage = load_optuna().storages.InMemoryStorage()
    trials = Trials(storage, strategy.name or "tuning", strategy.space, tuning.common.seed)
    Race(arena, trials, tuning.images, tuning.block).run()
    return StrategyOutcome(strategy, arena.instances, tuple(trials.all()), arena.budget)


def _repeated(arena: Arena, stored: Sequence[Trial], settings: Settings, counted: list[int]) -> Iterator[str]:
    """Repeat runs of a search, and yield the differences. ``counted`` are the runs so far, and all runs."""
    every = [(trial, place) for trial in stored for place in range(len(trial.results))]
    chosen = settings.choose(every)
    counted[0], counted[1] = counted[0] + len(chosen), counted[1] + len(every)
    for trial in {trial.number: trial for trial, _ in chosen}.values():
        places = [place for other, place in chosen if other.number == trial.number]
        experiment = {"configuration": arena.strategy.experiment(trial.values)}
        costs = arena.evaluate(experiment, [arena.instances[place] for place in places])
        for place in places:
            instance = arena.instances[place]
            if costs["configuration", instance] != trial.results[place]:
                label = f"{instance.network}, {instance.run.label}"
                yield f"{arena.strategy.name} trial {trial.number}, {label}: differs from the repeated run".lstrip()
