"""The search space of a tuning: the keys under ``search``, each with its range or its choices, and its condition."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fooldeap.configuration.document import Document, Key, put_under
from fooldeap.configuration.experiment import CHOICES, Experiment
from fooldeap.errors import did_you_mean
from fooldeap.parameters import shown
from fooldeap.study.variants import make_label

Value = str | int | float  # of a parameter: the label of a choice, or a number
FIXED = ("classifier", "dataset", "executor")  # plugins that a tuning does not choose
SEARCHED = tuple(kind for kind in CHOICES if kind not in FIXED)
_RANGE = ("from", "to", "log", "when")
_EXAMPLE = "{from: 0.001, to: 0.1, log: true}, or a list of choices"


@dataclass(frozen=True)
class Parameter:
    """A key that is searched.

    Attributes
    ----------
    key : the key of the experiment, such as ``mutation.rate``
    low, high, log : the range of a number; both bounds are integers if the number is one
    choices : the values to choose from by label, each with its position in the file; empty for a range
    when : the labels that other parameters must have, so that this one applies
    """

    key: str
    path: Key = field(compare=False)
    low: float = 0
    high: float = 0
    log: bool = False
    choices: Mapping[str, Key] = field(default_factory=dict, compare=False)
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def integer(self) -> bool:
        """Whether the values are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def applies(self, values: Mapping[str, Value]) -> bool:
        """Return whether the condition holds for the values of the earlier parameters."""
        return all(values.get(key) in labels for key, labels in self.when.items())

    def __str__(self) -> str:
        if self.choices:
            return ", ".join(self.choices)
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


class Space:
    """The parameters under a key ``search``, ordered such that conditions refer to earlier parameters."""

    def __init__(self, document: Document, path: Key = ("search",)) -> None:
        self.document, self.path = document, path
        self.parameters = tuple(_ordered(document, list(_parameters(document, path))))

    def applying(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values without those of parameters that do not apply."""
        found: dict[str, Value] = {}
        for each in self.parameters:
            if each.key in values and each.applies(found):
                found[each.key] = values[each.key]
        return found

    def put(self, values: Mapping[str, Value], base: Document) -> Document:
        """Return the base with the values. Values keep their positions in the file."""
        part = Document({})
        for each in sorted(self.parameters, key=lambda each: each.key.count(".")):
            if each.key not in values:
                continue
            under: Key = tuple(each.key.split("."))
            if each.choices:
                value = self.document.subtree(each.choices[str(values[each.key])], under)
            else:
                value = put_under(under, values[each.key], Document({}), self.document.place(each.path))
            part = value.merge_onto(part)
        return part.merge_onto(base)

    def values_of(self, experiment: Experiment) -> dict[str, Value]:
        """Return the values that an experiment has.

        Raises
        ------
        InputError
            A value is not in the search space.
        """
        found: dict[str, Value] = {}
        for each in self.parameters:
            if each.applies(found):
                found[each.key] = self._value_of(each, experiment)
        return found

    def _value_of(self, parameter: Parameter, experiment: Experiment) -> Value:
        value: Any = experiment.data()
        for word in parameter.key.split("."):
            value = value.get(word) if isinstance(value, dict) else None
        if parameter.choices:
            for label, path in parameter.choices.items():
                if _is_chosen(self.document.subtree(path, ("value",)).data["value"], value):
                    return label
            message = f"the experiment has {shown(value)}, which is not one of these choices; add it"
        elif isinstance(value, int | float) and parameter.low <= value <= parameter.high:
            return value if parameter.integer == isinstance(value, int) else float(value)
        else:
            message = (
                f"the experiment has {shown(value)}, expected a number from {parameter.low:g} to {parameter.high:g}; "
                "widen the range, or change the experiment"
            )
        raise self.document.error(parameter.path, message, at_key=True)

    def corners(self, values: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        """Yield values that together have every choice and every bound; the others are those in ``values``."""
        for each in self.parameters:
            for value in each.choices or (each.low, each.high):
                changed = {**self._lows(), **values, each.key: value}
                for key, labels in each.when.items():
                    changed[key] = labels[0]
                yield self.applying(changed)

    def _lows(self) -> dict[str, Value]:
        return {each.key: next(iter(each.choices), each.low) for each in self.parameters}


def _is_chosen(choice: Any, value: Any) -> bool:
    """Return whether an experiment's value agrees with a choice. A plugin that is given by name has any parameters."""
    if isinstance(choice, str) and isinstance(value, dict):
        return value.get("name") == choice
    if isinstance(choice, dict) and isinstance(value, dict):
        return all(key in value and value[key] == each for key, each in choice.items())
    return bool(choice == value) and isinstance(choice, bool) == isinstance(value, bool)


def _parameters(document: Document, path: Key) -> Iterator[Parameter]:
    found: Any = document.data
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not found:
        got = "is missing" if found is None else f"got {shown(found)}"
        raise document.error(path, f"{got}; expected keys with their ranges: {{mutation.rate: {_EXAMPLE}}}")
    for key, given in found.items():
        _check_key(document, (*path, key), key)
        yield _parameter(document, (*path, key), key, given)


def _check_key(document: Document, path: Key, key: str) -> None:
    first = key.partition(".")[0]
    if first not in SEARCHED:
        expected = f"expected a key of {', '.join(SEARCHED)}, such as mutation.rate"
        raise document.error(path, f"cannot be searched; {expected}", at_key=True)


def _parameter(document: Document, path: Key, key: str, given: Any) -> Parameter:
    if isinstance(given, list):
        return Parameter(key, path, choices=_choices(document, path, key, given))
    if not isinstance(given, dict):
        raise document.error(path, f"got {shown(given)}, expected {_EXAMPLE}")
    when = _when(document, (*path, "when"), given.get("when"))
    if "choices" in given:
        _refuse_others(document, path, given, ("choices", "when"))
        return Parameter(key, path, choices=_choices(document, (*path, "choices"), key, given["choices"]), when=when)
    _refuse_others(document, path, given, _RANGE)
    low, high = (_bound(document, (*path, name), given.get(name)) for name in ("from", "to"))
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise document.error((*path, "log"), f"got {shown(log)}, expected true or false")
    if low >= high:
        raise document.error((*path, "to"), f"got {high:g}, expected a number above {low:g}, the value of 'from'")
    if log and low <= 0:
        raise document.error((*path, "from"), f"got {low:g}, expected a number > 0, because the scale is logarithmic")
    return Parameter(key, path, low, high, log, when=when)


def _bound(document: Document, path: Key, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        got = "is missing" if value is None else f"got {shown(value)}"
        raise document.error(path, f"{got}; expected a number: {_EXAMPLE}")
    return value


def _choices(document: Document, path: Key, key: str, given: Any) -> dict[str, Key]:
    if not isinstance(given, list) or len(given) < 2:
        raise document.error(path, f"got {shown(given)}, expected a list of at least two choices")
    found: dict[str, Key] = {}
    for index, value in enumerate(given):
        label = make_label(document, (*path, index), key.rpartition(".")[2], value)
        if label in found:
            raise document.error((*path, index), f"got a second choice {label!r}, expected each choice once")
        found[label] = (*path, index)
    return found


def _when(document: Document, path: Key, given: Any) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not given:
        raise document.error(path, f"got {shown(given)}, expected a condition such as {{selection: tournament}}")
    return {key: tuple(map(str, labels if isinstance(labels, list) else [labels])) for key, labels in given.items()}


def _refuse_others(document: Document, path: Key, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise document.error((*path, key), f"unknown key{did_you_mean(key, known)}", at_key=True)


def _ordered(document: Document, parameters: list[Parameter]) -> Iterator[Parameter]:
    """Yield parameters after those that their conditions name; check the conditions."""
    by_key = {each.key: each for each in parameters}
    for each in parameters:
        for key, labels in each.when.items():
            path = (*each.path, "when", key)
            if key not in by_key or not by_key[key].choices:
                chosen = [other.key for other in parameters if other.choices]
                message = f"is not searched, expected a key with choices: {', '.join(chosen) or 'there is none'}"
                raise document.error(path, message, at_key=True)
            for label in labels:
                if label not in by_key[key].choices:
                    message = f"got {shown(label)}, expected a choice of {key}: {', '.join(by_key[key].choices)}"
                    raise document.error(path, message)
    done: set[str] = set()
    waiting = parameters
    while waiting:
        ready = [each for each in waiting if set(each.when) <= done]
        if not ready:
            raise document.error(waiting[0].path, "its condition depends on itself; remove a condition", at_key=True)
        yield from ready
        done |= {each.key for each in ready}
        waiting = [each for each in waiting if each.key not in done]
