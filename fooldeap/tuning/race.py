"""The search: proposes configurations, runs them on more and more instances, and stops the poor ones early."""

from collections.abc import Callable

from fooldeap.errors import InputError
from fooldeap.tuning.instances import Arena, FailedRunsError, RunCost
from fooldeap.tuning.trials import State, Trial, Trials

MOST_IDLE = 100  # trials in a row without images, after which the search space counts as exhausted


class Race:
    """The search for the best configuration of one strategy.

    Parameters
    ----------
    arena : the instances
    trials : the configurations so far
    images : the largest number of images to show
    block : the number of instances after which a configuration is compared with the best one
    show : shows a trial that has ended
    """

    def __init__(
        self, arena: Arena, trials: Trials, images: int, block: int, show: Callable[[Trial], None] = lambda trial: None
    ) -> None:
        self.arena, self.trials, self.images, self.block, self.show = arena, trials, images, block, show

    def run(self) -> None:
        """Try configurations until the images are used up, or nothing new is proposed."""
        initial = self.arena.strategy.space.values_of(self.arena.strategy.initial)
        while True:
            every = self.trials.all()
            if every and every[-1].state == "unfinished":
                trial = every[-1]
            elif self.next_block(0) == 0 or (len(every) > MOST_IDLE and not any(map(_images, every[-MOST_IDLE:]))):
                return
            else:
                trial = self.trials.propose(initial)
            ended = self._try(trial)
            if ended is None:
                return
            self.show(ended)

    @property
    def used(self) -> int:
        """The images that were shown so far."""
        return sum(map(_images, self.trials.all()))

    def next_block(self, done: int) -> int:
        """Return the number of instances to run next. The runs cannot exceed the images that are left."""
        left = self.images - self.used
        return min(self.block, len(self.arena.instances) - done, left // self.arena.run_budget)

    def relative(self, results: tuple[RunCost, ...]) -> list[float]:
        """Return the logarithms of costs, relative to the initial configuration, which has completed more of them."""
        first = self.trials.all()[0].results or results
        pairs = zip(self.arena.instances, results, first, strict=False)
        return [
            cost.logarithm(self.arena.budget_of(each)) - base.logarithm(self.arena.budget_of(each))
            for each, cost, base in pairs
        ]

    def _try(self, trial: Trial) -> Trial | None:
        """Run a configuration on the instances. Return None if the images are used up before its end."""
        if not trial.results and (same := self._same(trial)) is not None:
            return self.trials.finish(trial, "repeated", same.value or 0.0, f"as trial {same.number}")
        try:
            experiment = self.arena.strategy.experiment(trial.values)
            while len(trial.results) < len(self.arena.instances):
                if trial.number and trial.results and self.trials.is_worse(trial, self.relative(trial.results)):
                    return self._finish(trial, "stopped early")
                count = self.next_block(len(trial.results))
                if not count:
                    return None
                block = self.arena.instances[len(trial.results) :][:count]
                costs = self.arena.evaluate({"configuration": experiment}, block)
                results = [*trial.results, *(costs["configuration", each] for each in block)]
                trial = self.trials.record(trial, results)
        except InputError as error:
            return self._reject(trial, "invalid", error)
        except FailedRunsError as error:
            return self._reject(trial, "failed", error)
        return self._finish(trial, "complete")

    def _same(self, trial: Trial) -> Trial | None:
        """Return an earlier trial of the same configuration."""
        return next((each for each in self.trials.all()[: trial.number] if each.values == trial.values), None)

    def _finish(self, trial: Trial, state: State, message: str = "") -> Trial:
        relative = self.relative(trial.results)
        self.trials.report(trial, relative)
        return self.trials.finish(trial, state, sum(relative) / len(relative), message)

    def _reject(self, trial: Trial, state: State, error: Exception) -> Trial:
        if trial.number == 0:
            raise error
        worst = RunCost(None, 0).logarithm(self.arena.run_budget)  # no cost is larger
        return self.trials.finish(trial, state, worst, " ".join(str(error).split()))


def _images(trial: Trial) -> int:
    return trial.images
