"""Extensions of an experiment when it is resumed: a larger budget, a higher goal, more seeds or more targets.

Its journals stay valid, because these keys do not change which images a run shows, only how many.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fooldeap.configuration.experiment import Experiment
from fooldeap.errors import InputError

_LIMITS = ("stop.evaluations", "stop.generations", "stop.confidence", "stop.stagnation", "seeds")
_KEYS = (*_LIMITS, "targets")


def separate(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the overrides that hold for one session, and those that extend the experiment.

    Raises
    ------
    InputError
        Another key is overridden.
    """
    session, extending = list[str](), list[str]()
    for word in overrides:
        if word.partition("=")[0] in _KEYS:
            extending.append(word)
        elif re.match(r"executor[.=]|on_error=", word):
            session.append(word)
        else:
            raise InputError(
                f"--resume: got {word!r}, expected on_error=skip, keys of the executor, as executor.mode=runs, or an "
                f"extension by {', '.join(_KEYS)}; for other settings, start a new run"
            )
    return session, extending


def extends(before: Experiment, now: Experiment, folder: Path) -> bool:
    """Return whether an experiment differs from what it was before.

    Raises
    ------
    InputError
        A limit is smaller than before.
    """
    for key in _LIMITS:
        old, new = _value(before, key), _value(now, key)
        if new is not None and (old is None or new < old):
            expected = "null, no limit" if old is None else f"{old} or more"
            value = f"{key}={new}"
            raise InputError(
                f"--resume: {key}: got {new}, expected {expected}, as the experiment in {folder} had before; for less, "
                f"start a new run: fooldeap run {folder / 'config.yaml'} {value}"
            )
    return any(_value(before, key) != _value(now, key) for key in _KEYS)


def _value(experiment: Experiment, key: str) -> Any:
    parent, _, name = key.rpartition(".")
    return getattr(experiment.stop if parent else experiment, name)
