"""Operators as they are called in one run: with schedules, feedback and state."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from fooldeap.configuration.choices import Checked, Choice
from fooldeap.contract_checks import CHECKS, Check
from fooldeap.engine.lineage import Lineage, digests_of
from fooldeap.errors import PluginError
from fooldeap.plugin import FITNESS_FEEDBACK, Batch, Rng

PARENTS = {"mutation": 1, "crossover": 2}  # batches of parents that an operator receives


class Clock(Protocol):
    """Says which generation is the current one."""

    generation: int


class Operator:
    """An operator of one run. Its results are checked, and errors name its plugin.

    It gets the feedback that its signature names. If it is a dataclass, its state belongs to this object.

    Parameters
    ----------
    choice : the plugin and its parameters, which may follow schedules
    clock : the toolbox of the run
    lineage : follows the genomes of the run; None if no operator asks for it
    check : the check of its results; None: that of its kind
    rng : passed after the arguments of each call
    nested : whether another operator calls it
    """

    def __init__(
        self,
        choice: Choice,
        clock: Clock,
        lineage: Lineage | None = None,
        check: Check | None = None,
        rng: tuple[Rng, ...] = (),
        *,
        nested: bool = False,
    ) -> None:
        self.choice, self._clock, self._lineage, self._is_nested = choice, clock, lineage, nested
        self._nested: dict[int, Operator] = {}
        self._generation = clock.generation
        self._checked = Checked(choice.plugin, check or CHECKS[choice.plugin.kind], self._build(), rng)

    def __call__(self, *arguments: Any, **feedback: Any) -> Any:
        """Call the plugin. Errors are those of `Checked`."""
        self._follow_schedules()
        parents = self._parents(arguments)
        feedback |= {name: self._ask(name, parents) for name in self.choice.plugin.feedback if name not in feedback}
        result = self._checked(*arguments, **feedback)
        if self._lineage is not None and parents:
            children = result if len(parents) > 1 else (result,)
            maker = self if "offspring" in self.choice.plugin.feedback else None
            self._lineage.record(maker, parents, [digests_of(batch) for batch in children], nested=self._is_nested)
        return result

    def _build(self) -> Callable[..., Any]:
        built: Callable[..., Any] = self.choice.build(generation=self._generation, nested=self._of)
        return built

    def _of(self, choice: Choice) -> "Operator":
        """Return the operator of a nested choice. It is built once, so that it keeps its state."""
        if id(choice) not in self._nested:
            asks = any(each.feedback & FITNESS_FEEDBACK for _, each in self.choice.inner())
            self._nested[id(choice)] = Operator(choice, self._clock, self._lineage if asks else None, nested=True)
        return self._nested[id(choice)]

    def _follow_schedules(self) -> None:
        if self._generation == self._clock.generation:
            return
        self._generation = self._clock.generation
        values = self.choice.scheduled(self._generation)
        if not values:
            return
        if not isinstance(self.choice.plugin.target, type):
            self._checked.call = self._build()
            return
        for name, value in values.items():
            object.__setattr__(self._checked.call, name, value)  # also if the dataclass is frozen

    def _parents(self, arguments: Sequence[Batch]) -> list[list[bytes]]:
        """Return the digests of the parents, before the plugin modifies them."""
        if self._lineage is None or not self._lineage.follows:
            return []
        return [digests_of(batch) for batch in arguments[: PARENTS.get(self.choice.plugin.kind, 0)]]

    def _ask(self, name: str, parents: Sequence[Sequence[bytes]]) -> Any:
        """Return one kind of feedback, see `fooldeap.plugin.Kind`."""
        if name == "generation":
            return self._clock.generation
        if name not in FITNESS_FEEDBACK or self._lineage is None:
            raise PluginError(f"{self.choice.plugin} asks for {name}, which this call does not give")
        if name == "parent_fitness":
            found = [self._lineage.parent_fitness(each) for each in parents]
            return found[0] if len(found) == 1 else np.array(found)
        return self._lineage.offspring(self) if name == "offspring" else self._lineage.population
