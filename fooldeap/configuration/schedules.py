"""Parameters that change during a run: ``rate: {schedule: halving, start: 0.1, every: 1000}``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt

Generations = Annotated[int, Ge(1)]


def constant(generation: int, *, value: float) -> float:
    """Stay at ``value``."""
    return value


def linear(generation: int, *, start: float, end: float, over: Generations) -> float:
    """Go from ``start`` to ``end`` in equal steps ``over`` so many generations, and stay there."""
    share = min(generation / over, 1)
    return _between(start, start * (1 - share) + end * share, end)


def exponential(
    generation: int, *, start: Annotated[float, Gt(0)], end: Annotated[float, Gt(0)], over: Generations
) -> float:
    """Go from ``start`` to ``end`` by equal factors ``over`` so many generations, and stay there."""
    share = min(generation / over, 1)
    return _between(start, start ** (1 - share) * end**share, end)


def halving(generation: int, *, start: float, every: Generations, least: float = 0.0) -> float:
    """Halve ``start`` after ``every`` so many generations, but not below ``least``."""
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
