"""Training instances: the runs by which configurations are compared, and their costs."""

import contextlib
import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.query_log import QueryLog
from fooldeap.errors import PluginError
from fooldeap.results import RunInfo
from fooldeap.runs.session import Session
from fooldeap.runs.worker_task import RunOutcome
from fooldeap.study.plan import make_serial
from fooldeap.study.transfer import name_classifier
from fooldeap.tuning.settings import Strategy, Tuning

PENALTY = 10  # a run without success counts as this many budgets: PAR10


class Instance(NamedTuple):
    """One training instance: a run on one of the networks. Its ``run`` has no variant."""

    network: str
    run: RunInfo

    @property
    def targets(self) -> str:
        """The targets as text."""
        return " ".join(map(str, self.run.targets))


class RunCost(NamedTuple):
    """The result of a run: evaluations until every target was reached (None: not reached), and all evaluations."""

    to_goal: int | None
    evaluations: int

    def logarithm(self, budget: int) -> float:
        """Return the decimal logarithm of the evaluations to the goal; a run without success counts as `PENALTY`."""
        return math.log10(PENALTY * budget if self.to_goal is None else max(1, self.to_goal))


class FailedRunsError(PluginError):
    """A configuration cannot be evaluated, because its plugin fails."""


@dataclass
class Network:
    """A classifier of the training instances with its open session."""

    name: str
    initial: Experiment
    session: Session


class Arena:
    """The training instances of a strategy. Runs of several configurations on several instances share batches.

    Parameters
    ----------
    tuning, strategy : what is tuned
    networks : the open classifiers

    Attributes
    ----------
    instances : in a random order, which is the same for every configuration
    run_budget : the most evaluations of a run; a run that pursues several targets jointly has the budget of all of them
    """

    def __init__(self, tuning: Tuning, strategy: Strategy, networks: Sequence[Network]) -> None:
        self.strategy, self.networks = strategy, {each.name: each for each in networks}
        found = [
            Instance(each.name, run)
            for each in networks
            for run in each.session.runs_of(replace(each.initial, algorithm=strategy.initial.algorithm))
        ]
        order = random.Random(f"instances {tuning.common.seed}")
        self.instances = tuple(order.sample(found, len(found)))
        self.budget = tuning.budget
        self.run_budget = max(map(self.budget_of, found))

    def budget_of(self, instance: Instance) -> int:
        """Return the budget of a run in evaluations."""
        return self.budget * len(instance.run.targets)

    def check(self, experiments: Mapping[str, Experiment]) -> None:
        """Raise `InputError` if a configuration cannot start."""
        for network in self.networks.values():
            self._replace(network, experiments)

    def evaluate(
        self, experiments: Mapping[str, Experiment], instances: Sequence[Instance]
    ) -> dict[tuple[str, Instance], RunCost]:
        """Return the result of each configuration, by name, on each instance.

        Raises
        ------
        InputError
            A configuration is invalid.
        FailedRunsError
            A plugin of a configuration failed.
        """
        costs: dict[tuple[str, Instance], RunCost] = {}
        for network in self.networks.values():
            here = [each for each in instances if each.network == network.name]
            if here:
                costs.update(self._evaluate_on(network, experiments, here))
        return costs

    def _evaluate_on(
        self, network: Network, experiments: Mapping[str, Experiment], instances: Sequence[Instance]
    ) -> Iterator[tuple[tuple[str, Instance], RunCost]]:
        self._replace(network, experiments)
        runs = [each.run._replace(variant=name) for each in instances for name in experiments]
        with contextlib.closing(network.session.evolve(runs)) as all_ended:
            for ended in all_ended:
                if ended.failure is not None:
                    raise FailedRunsError(str(ended.failure))
                key = ended.info.variant, Instance(network.name, ended.info._replace(variant=""))
                yield key, _cost(ended)

    def _replace(self, network: Network, experiments: Mapping[str, Experiment]) -> None:
        budget = next(self.budget_of(each) for each in self.instances if each.network == network.name)
        here = {name: self._on(network, each, budget) for name, each in experiments.items()}
        network.session.replace_experiments(here)

    def _on(self, network: Network, experiment: Experiment, budget: int) -> Experiment:
        """Return a configuration with the runs of a network."""
        first = network.initial
        return replace(
            experiment,
            classifier=first.classifier,
            dataset=None,
            executor=first.executor,
            targets=first.targets,
            seed=first.seed,
            seeds=first.seeds,
            stop=replace(experiment.stop, evaluations=budget),
        )


def _cost(ended: RunOutcome) -> RunCost:
    reached = [each.evaluations_to_goal for each in ended.results]
    found = [each for each in reached if each is not None]
    return RunCost(max(found) if len(found) == len(reached) else None, ended.evaluations)


@contextlib.contextmanager
def open_networks(tuning: Tuning) -> Iterator[list[Network]]:
    """Yield the classifiers of the training instances, each with an open session."""
    with contextlib.ExitStack() as stack:
        networks: list[Network] = []
        for classifier in tuning.instances.classifiers:
            initial = make_serial({"": tuning.instances.experiment(tuning.common, classifier)})[""]
            session = stack.enter_context(Session({"initial": initial}))
            name = name_classifier(initial)
            taken = [each.name for each in networks]
            networks.append(Network(f"{name}-{len(networks) + 1}" if name in taken else name, initial, session))
        yield networks


@contextlib.contextmanager
def recording(log: QueryLog, networks: Sequence[Network]) -> Iterator[None]:
    """Record the queries of all networks in a query log."""
    for index, network in enumerate(networks):
        network.session.evaluator.record(log.add_row() if index else log)
    try:
        yield
    finally:
        for network in networks:
            network.session.evaluator.record(None)


def digest_of(networks: Sequence[Network]) -> str:
    """Return the digest of all classifiers."""
    digests = [each.session.dispatcher.task.digest for each in networks]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
