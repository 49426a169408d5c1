"""The configurations that were tried: proposed, compared and stored with Optuna."""

import contextlib
import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fooldeap.errors import InputError, blaming_damage
from fooldeap.storage.inputs import read
from fooldeap.tuning.instances import RunCost
from fooldeap.tuning.space import Space, Value

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

State = Literal["unfinished", "complete", "stopped early", "repeated", "invalid", "failed"]
EARLY = 0.1  # p-value of Wilcoxon's test below which a configuration is stopped
_PROPOSED, _RESULTS, _END = "proposed", "results", "end"  # what is stored with a trial in Optuna
_VERSION = "optuna"  # what is stored with the study


@dataclass(frozen=True)
class Trial:
    """A configuration that was tried, with the results on the first instances.

    Attributes
    ----------
    number : counts from 0, the initial configuration
    values : the values of the parameters that apply
    results : the results on the instances, in their order
    value : the mean over instances of log10(cost / cost of the initial configuration); None: unfinished
    message : why it is invalid, or failed
    """

    number: int
    values: Mapping[str, Value]
    results: tuple[RunCost, ...]
    state: State
    value: float | None
    message: str
    frozen: "FrozenTrial"

    @property
    def images(self) -> int:
        """The images that were shown for it."""
        return 0 if self.state == "repeated" else sum(each.evaluations for each in self.results)


class Trials:
    """The trials of one strategy, in an Optuna study.

    A proposal depends only on the seed and on the finished trials, because each proposal has a sampler with a seed of
    its own.
    """

    def __init__(self, storage: "BaseStorage", name: str, space: Space, seed: int, *, force: bool = False) -> None:
        optuna = load_optuna()
        self.name, self.space, self.seed, self._storage = name, space, seed, storage
        with _quiet():
            known = name in optuna.get_all_study_names(storage)
            find = optuna.load_study if known else optuna.create_study
            self.study = find(storage=storage, study_name=name)
            self._pruner = optuna.pruners.WilcoxonPruner(p_threshold=EARLY)
        made_with = self.study.user_attrs.get(_VERSION, optuna.__version__)
        if made_with != optuna.__version__ and not force:
            message = f"optuna has changed from {made_with} to {optuna.__version__}"
            cure = "restore the earlier version, or accept the change with --force"
            raise InputError(f"{message}, so it may propose other configurations; {cure}")
        if _VERSION not in self.study.user_attrs:
            self.study.set_user_attr(_VERSION, optuna.__version__)
        for each in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            if _PROPOSED not in each.user_attrs:  # the process was killed during the proposal
                self.study.tell(each.number, state=optuna.trial.TrialState.FAIL)
            elif _END in each.user_attrs:
                self._tell(each)

    def all(self) -> list[Trial]:
        """Return all trials in their order."""
        fine = [each for each in self.study.get_trials(deepcopy=False) if _PROPOSED in each.user_attrs]
        return [self._trial(number, each) for number, each in enumerate(fine)]

    def _trial(self, number: int, frozen: "FrozenTrial") -> Trial:
        results = tuple(RunCost(*each) for each in frozen.user_attrs.get(_RESULTS, ()))
        state, value, message = frozen.user_attrs.get(_END, ("unfinished", None, ""))
        return Trial(number, dict(frozen.params), results, state, value, message, frozen)

    def propose(self, initial: Mapping[str, Value]) -> Trial:
        """Add a trial with the next configuration; the first one is the initial configuration."""
        optuna = load_optuna()
        number = len(self.all())
        with _quiet():
            self.study.sampler = optuna.samplers.TPESampler(seed=self._seed_of(number))
            others = [each for each in self.study.get_trials(deepcopy=False) if not each.state.is_finished()]
            if number == 0 and not others:
                self.study.enqueue_trial(dict(initial))
            asked, values = self.study.ask(), dict[str, Value]()
            for each in self.space.parameters:
                if not each.applies(values):
                    continue
                if each.choices:
                    values[each.key] = asked.suggest_categorical(each.key, list(each.choices))
                elif each.integer:
                    values[each.key] = asked.suggest_int(each.key, int(each.low), int(each.high), log=each.log)
                else:
                    values[each.key] = asked.suggest_float(each.key, each.low, each.high, log=each.log)
            asked.set_user_attr(_PROPOSED, True)
        return self.all()[number]

    def _seed_of(self, number: int) -> int:
        text = f"tuning {self.seed} {self.name} {number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def record(self, trial: Trial, results: Sequence[RunCost]) -> Trial:
        """Store the results on the first instances."""
        self._storage.set_trial_user_attr(trial.frozen._trial_id, _RESULTS, [list(each) for each in results])
        return self.all()[trial.number]

    def is_worse(self, trial: Trial, relative: Sequence[float]) -> bool:
        """Return whether a trial is probably worse than the best one, by Optuna's `WilcoxonPruner`.

        ``relative`` are the logarithms of its costs, relative to those of the initial configuration.
        """
        self.report(trial, relative)
        with _quiet():
            return bool(self._pruner.prune(self.study, self.all()[trial.number].frozen))

    def report(self, trial: Trial, relative: Sequence[float]) -> None:
        """Store the values that `is_worse` compares."""
        for step, value in enumerate(relative):
            if step not in trial.frozen.intermediate_values:
                self._storage.set_trial_intermediate_value(trial.frozen._trial_id, step, value)

    def finish(self, trial: Trial, state: State, value: float, message: str = "") -> Trial:
        """Store the end of a trial."""
        self._storage.set_trial_user_attr(trial.frozen._trial_id, _END, [state, value, message])
        self._tell(self.all()[trial.number].frozen)
        return self.all()[trial.number]

    def _tell(self, frozen: "FrozenTrial") -> None:
        with _quiet():
            self.study.tell(frozen.number, frozen.user_attrs[_END][1])


def load_optuna() -> Any:
    """Import Optuna.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError("fooldeap tune needs Optuna; install it: pip install 'fooldeap[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings about experimental parts of Optuna, and of tests with few samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_storage(path: Path) -> "BaseStorage":
    """Open Optuna's journal file, or create it.

    A killed process may leave an incomplete last line, which is removed. The caller holds the lock of the folder, so
    the file needs no lock of its own: a killed process would leave it behind.
    """
    optuna = load_optuna()
    journal = optuna.storages.journal

    class NoLock(journal.JournalFileOpenLock):  # type: ignore[misc, name-defined]
        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            pass

    with blaming_damage(path):
        if path.is_file():
            whole = read(path)
            complete = whole.rfind(b"\n") + 1
            if complete < len(whole):
                os.truncate(path, complete)
        storage: BaseStorage = optuna.storages.JournalStorage(
            journal.JournalFileBackend(str(path), lock_obj=NoLock(str(path)))
        )
        return storage
