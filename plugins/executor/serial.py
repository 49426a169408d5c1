"""Evaluation in this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fooldeap.plugin import dataclass, executor


@executor("serial")
@dataclass(frozen=True)
class Serial:
    """Evaluate in this process, one chunk after the other; TensorFlow itself uses all cores."""

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        return map(function, items)
