"""Plugins as an experiment chose them: with values, schedules, and other choices inside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fooldeap.plugin import Plugin
from fooldeap.schedules import Schedule


@dataclass(frozen=True)
class Choice:
    """A plugin with the values of its parameters, as configured.

    A value may be a `Schedule`, or a tuple of `Weighted` choices.
    """

    plugin: Plugin
    values: Mapping[str, Any]

    def build(self, *given: Any, generation: int = 0) -> Any:
        """Return the plugin ready for calls in a generation, see `Plugin.build`."""
        values = {name: _resolved(value, generation) for name, value in self.values.items()}
        return self.plugin.build(values, *given)

    @property
    def changes(self) -> bool:
        """Whether a value follows a schedule."""
        own = any(isinstance(value, Schedule) for value in self.values.values())
        return own or any(choice.changes for choice in self.inner())

    def inner(self) -> Iterator["Choice"]:
        """Yield the choices among the values."""
        for value in self.values.values():
            if isinstance(value, tuple):
                yield from (item.choice for item in value if isinstance(item, Weighted))

    def data(self) -> dict[str, Any]:
        """Return the choice as YAML has it."""
        return {"name": self.plugin.name, **{name: _plain(value) for name, value in self.values.items()}}


@dataclass(frozen=True)
class Weighted:
    """One of several choices in a parameter, with its weight among them."""

    choice: Choice
    weight: float = 1.0


def _resolved(value: Any, generation: int) -> Any:
    if isinstance(value, Schedule):
        return value.at(generation)
    if isinstance(value, tuple):
        return tuple(_resolved(item, generation) for item in value)
    if isinstance(value, Weighted):
        return value.choice.build(generation=generation), value.weight
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.data()
    if isinstance(value, tuple) and any(isinstance(item, Weighted) for item in value):
        return [{**item.choice.data(), "weight": item.weight} for item in value]
    return value
