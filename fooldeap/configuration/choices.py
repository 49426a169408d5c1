"""Plugins as chosen in an experiment: with values, nested choices and schedules.

A schedule changes a parameter during a run: ``rate: {schedule: halving, start: 0.1, every: 1000}``.
"""

import functools
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic_core import to_jsonable_python

from fooldeap.contract_checks import CHECKS, Check, split
from fooldeap.errors import InputError, PluginError, blaming
from fooldeap.plugin import Plugin, Rng, Split

Generations = Annotated[int, Ge(1)]


def constant(generation: int, *, value: float) -> float:
    """Stay at ``value``."""
    return value


def linear(generation: int, *, start: float, end: float, over: Generations) -> float:
    """Go from ``start`` to ``end`` in ``over`` generations by equal steps, and stay there."""
    share = min(generation / over, 1)
    return _between(start, start * (1 - share) + end * share, end)


def exponential(
    generation: int, *, start: Annotated[float, Gt(0)], end: Annotated[float, Gt(0)], over: Generations
) -> float:
    """Go from ``start`` to ``end`` in ``over`` generations by equal factors, and stay there."""
    share = min(generation / over, 1)
    return _between(start, start ** (1 - share) * end**share, end)


def halving(generation: int, *, start: float, every: Generations, least: float = 0.0) -> float:
    """Halve ``start`` after ``every`` generations, but not below ``least``."""
    return max(start * 0.5 ** (generation // every), least)


def _between(start: float, value: float, end: float) -> float:
    """Clip a value to the range between both ends, because of rounding."""
    return sorted((start, value, end))[1]


SCHEDULES: dict[str, Callable[..., float]] = {
    schedule.__name__: schedule for schedule in (constant, linear, exponential, halving)
}


@dataclass(frozen=True)
class Schedule:
    """A schedule with its values, for a number or an integer."""

    kind: str
    values: Mapping[str, Any]
    integer: bool = False

    def at(self, generation: int) -> float | int:
        """Return the parameter's value in a generation, counted from 0. Integers are rounded."""
        value = SCHEDULES[self.kind](generation, **self.values)
        return round(value) if self.integer else value

    def data(self) -> dict[str, Any]:
        """Return the schedule as plain data for YAML."""
        return {"schedule": self.kind, **self.values}


@dataclass(frozen=True)
class Choice:
    """A plugin with the values of its parameters, as configured.

    A value may be a `Schedule`, or a tuple of `Weighted` choices.
    """

    plugin: Plugin
    values: Mapping[str, Any]

    def build(self, *given: Any, generation: int = 0, nested: "Callable[[Choice], Any] | None" = None) -> Any:
        """Return the plugin, ready for calls in a generation, see `Plugin.build`.

        ``nested`` builds nested choices; by default, this method does, and their results are checked.
        """
        build = nested or functools.partial(_built, generation=generation)
        values = {name: _resolved(value, generation, build) for name, value in self.values.items()}
        with blaming(self.plugin):
            return self.plugin.build(values, *given)

    def scheduled(self, generation: int) -> dict[str, float]:
        """Return the parameters of this plugin that follow schedules, with their values in a generation."""
        return {name: value.at(generation) for name, value in self.values.items() if isinstance(value, Schedule)}

    @property
    def changes(self) -> bool:
        """Whether a value follows a schedule."""
        return any(choice.scheduled(0) for choice in self.everything())

    @property
    def feedback(self) -> set[str]:
        """The feedback that the plugin or a nested one asks for, see `fooldeap.plugin.Kind`."""
        return {name for choice in self.everything() for name in choice.plugin.feedback}

    def everything(self) -> "list[Choice]":
        """Return this choice and all nested ones."""
        return [self, *(choice for _, choice in self.inner())]

    @property
    def start_images(self) -> str | None:
        """The images from which runs start, see `fooldeap.contracts.Genome`; None if the first population is random."""
        for name, parameter in self.plugin.parameters.items():
            value = self.values[name]
            if marked(parameter.annotation, "start") and value not in (None, *literals(parameter.annotation)):
                return str(value)
        return None

    def inner(self) -> Iterator[tuple[tuple[str | int, ...], "Choice"]]:
        """Yield all nested choices, each with its key path."""
        for name, value in self.values.items():
            for index, item in enumerate(value if isinstance(value, tuple) else ()):
                if isinstance(item, Weighted):
                    yield (name, index), item.choice
                    yield from (((name, index, *path), choice) for path, choice in item.choice.inner())

    def data(self) -> dict[str, Any]:
        """Return the choice as plain data for YAML."""
        return {"name": self.plugin.name, **{name: _plain(value) for name, value in self.values.items()}}


@dataclass(frozen=True)
class Weighted:
    """One of several choices in a parameter, with its weight."""

    choice: Choice
    weight: float = 1.0


class Checked:
    """A plugin whose results are checked against its contract. Errors name the plugin.

    ``rng`` is passed after the arguments of each call.
    """

    def __init__(self, plugin: Plugin, check: Check, call: Callable[..., Any], rng: tuple[Rng, ...] = ()) -> None:
        self.plugin, self.check, self.call, self.rng = plugin, check, call, rng

    def __call__(self, *arguments: Any, **feedback: Any) -> Any:
        """Call the plugin and check its result.

        Raises
        ------
        PluginError
            The plugin fails or breaks its contract.
        InputError
            The plugin reports wrong input.
        """
        try:
            with blaming(self.plugin):
                result = self.call(*arguments, *self.rng, **feedback)
        except InputError as error:
            raise InputError(f"{self.plugin}: {error}") from error
        fault = self.check(result, *arguments)
        if fault:
            raise PluginError(f"{self.plugin} {fault}")
        return result


def loaded(dataset: Choice) -> Split:
    """Return the data of a dataset.

    Raises
    ------
    PluginError
        The dataset fails or breaks its contract.
    """
    with blaming(dataset.plugin):
        data = dataset.build().load()
    fault = split(data)
    if fault:
        raise PluginError(f"{dataset.plugin} {fault}")
    return data  # type: ignore[no-any-return]


def _resolved(value: Any, generation: int, build: Callable[[Choice], Any]) -> Any:
    if isinstance(value, Schedule):
        return value.at(generation)
    if isinstance(value, tuple):
        return tuple(_resolved(item, generation, build) for item in value)
    if isinstance(value, Weighted):
        return build(value.choice), value.weight
    return value


def literals(annotation: Any) -> Iterator[Any]:
    """Yield the values of all `typing.Literal` in a type."""
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for each in typing.get_args(annotation):
            yield from literals(each)


def marked(annotation: Any, marker: str) -> bool:
    """Return whether a type, or one of its options, has a marker such as that of `fooldeap.plugin.File`."""
    nested = typing.get_args(annotation)
    return marker in getattr(annotation, "__metadata__", ()) or any(marked(each, marker) for each in nested)


def _built(choice: Choice, generation: int) -> Checked:
    return Checked(choice.plugin, CHECKS[choice.plugin.kind], choice.build(generation=generation))


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.data()
    if isinstance(value, tuple) and any(isinstance(item, Weighted) for item in value):
        return [{**item.choice.data(), "weight": item.weight} for item in value]
    return to_jsonable_python(value)
