"""Load a sweep: the swept keys with their values, and the experiment of each combination."""

import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fooldeap.configuration import config, reading
from fooldeap.configuration.choices import marked
from fooldeap.configuration.document import COMMAND_LINE, Document, Key
from fooldeap.configuration.experiment import CHOICES, Experiment
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.parameters import shown
from fooldeap.sweeps import syntax

KEY = "sweep"  # the key of a YAML file that lists the values
MOST_COMBINATIONS = 1000
_FIXED = ("name", "plugins", "base", "reporters", "report", KEY)  # keys that cannot differ between combinations
_LONGEST_LABEL = 120  # letters; the label is the name of a folder

Source = str | Path | Mapping[str, Any]


class Combination(NamedTuple):
    """A combination: the name of its folder, the value of each swept key as text, and its experiment."""

    label: str
    values: dict[str, str]
    experiment: Experiment


@dataclass(frozen=True)
class Sweep:
    """A sweep: its name, and its combinations, in which the last key changes fastest."""

    name: str
    combinations: tuple[Combination, ...]

    @property
    def experiments(self) -> list[Experiment]:
        """The experiment of each combination."""
        return [each.experiment for each in self.combinations]

    @property
    def groups(self) -> list[dict[str, Experiment]]:
        """The experiments by label, in groups that share a classifier and a dataset."""
        groups: dict[str, dict[str, Experiment]] = {}
        for label, _, experiment in self.combinations:
            key = json.dumps([experiment.classifier.data(), experiment.dataset and experiment.dataset.data()])
            groups.setdefault(key, {})[label] = experiment
        return list(groups.values())

    def data(self) -> dict[str, Any]:
        """Return the sweep as plain data, from which `restore` makes an equal one."""
        return {
            "name": self.name,
            "combinations": {
                each.label: {"values": each.values, "experiment": each.experiment.data()} for each in self.combinations
            },
        }


class _Option(NamedTuple):
    """A value of a swept key: its text, and what it changes: an override, or a part of the file."""

    text: str
    change: str | Document


def load(
    source: Source,
    overrides: Iterable[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    plugins: Iterable[Any] = (),
    options: Options = NO_OPTIONS,
) -> Sweep:
    """Read and check a sweep. Parameters and errors are those of `fooldeap.configuration.config.load`."""
    words = {word.partition("=")[0]: word for word in overrides}  # if a key is given twice, the later one applies
    given = {key: word for key, word in words.items() if syntax.is_sweep(word)}
    plain = [word for key, word in words.items() if key not in given]
    whole = config.merged_config(source, plain, arguments)
    base = whole.without(KEY)
    registry = config.registry_of(base, plugins, options)
    axes = _axes_of_file(whole, set(words))
    axes |= {key: [_Option(text, f"{key}={text}") for text in _values(word)] for key, word in given.items()}
    if not axes:
        raise whole.error((KEY,), "got no key with values, expected a mapping such as {mutation.rate: [0.01, 0.1]}")
    for key in axes:
        if key.partition(".")[0] in _FIXED:
            raise InputError(
                f"{key}: is the same for all combinations of a sweep; give it one value; a list is written in "
                "brackets: reporters=[console,csv]"
            )
    count = math.prod(map(len, axes.values()))
    if count > MOST_COMBINATIONS:
        raise InputError(
            f"got {count:,} combinations, expected at most {MOST_COMBINATIONS:,}; sweep fewer keys or values"
        )
    below = [word for word in plain if any(word.startswith(f"{key}.") for key in axes)]

    def checked(changes: Iterable[str | Document]) -> Experiment:
        document, own = base, [*below]
        for change in changes:
            if isinstance(change, str):
                own.append(change)
            else:
                document = change.merge_onto(document)
        return config.checked(reading.from_overrides(own).merge_onto(document), registry, options, also=(KEY,))

    firsts = {key: each[0].change for key, each in axes.items()}
    for key, word in given.items():
        _check_unambiguous(key, word, lambda change, key=key: checked({**firsts, key: change}.values()))
    combined = list(itertools.product(*axes.values()))
    found, problems = list[Experiment](), dict[str, None]()
    for combination in combined:
        try:
            found.append(checked(option.change for option in combination))
        except InputError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
    if problems:
        raise InputError("\n".join(problems))
    config.admit_commands(found)
    texts = [{key: option.text for key, option in zip(axes, each, strict=True)} for each in combined]
    made = zip(_labels(texts), texts, found, strict=True)
    return Sweep(found[0].name, tuple(Combination(*each) for each in made))


def restore(path: Path, *, plugins: Iterable[Any] = (), arguments: Mapping[str, Any], options: Options) -> Sweep:
    """Return the sweep in the file of a sweep folder; ``arguments`` override keys of each experiment."""
    document = reading.found_again(reading.read(path), path.parent)
    combinations = [
        Combination(
            label,
            dict(each["values"]),
            config.load(each["experiment"], arguments=arguments, plugins=plugins, options=options),
        )
        for label, each in document.data["combinations"].items()
    ]
    return Sweep(document.data["name"], tuple(combinations))


def _values(word: str) -> list[str]:
    key, _, text = word.partition("=")
    return syntax.values(key, text)


def _axes_of_file(whole: Document, overridden: set[str]) -> dict[str, list[_Option]]:
    """Return the values of the key ``sweep`` of a file. An override of one of its keys replaces its values."""
    data = whole.data.get(KEY) or {}
    if not isinstance(data, dict):
        raise whole.error((KEY,), f"got {shown(data)}, expected a mapping such as {{mutation.rate: [0.01, 0.1]}}")
    axes = {}
    for key, values in data.items():
        if values is None or key in overridden:
            continue
        if not isinstance(values, list) or not values:
            raise whole.error((KEY, key), f"got {shown(values)}, expected a list of values such as [0.01, 0.1]")
        under: Key = tuple(key.split("."))
        axes[key] = [
            _Option(_text(value), whole.subtree((KEY, key, index), under)) for index, value in enumerate(values)
        ]
    return axes


def _text(value: Any) -> str:
    """Return a value as the text of an override."""
    return value if isinstance(value, str) else json.dumps(value)


def _check_unambiguous(key: str, word: str, checked: Any) -> None:
    """Refuse values that may also be meant as one list or one text, as ``targets=1,2``.

    ``checked`` returns the experiment with a change of this key, or raises `InputError`.
    """
    text = word.partition("=")[2]
    if syntax.is_explicit(text):
        return
    cure = f"for a sweep, write {key}=choice({text})"
    if key == "targets" and not any(part.strip().startswith("[") for part in syntax.split(text)):
        raise InputError(
            f"{COMMAND_LINE}: {key}: got {text!r}, which may mean one list or a sweep; for one experiment with this "
            f"list, write {key}=[{text}]; {cure}"
        )
    try:
        experiment = checked(word)
    except (InputError, OSError):  # such as a path that is too long
        return  # it cannot be meant as one value
    if not _names_missing_file(experiment, key, text):
        raise InputError(
            f"{COMMAND_LINE}: {key}: got {text!r}, which may mean one text or a sweep; for one text, write "
            f"{key}='\"{text}\"'; {cure}"
        )


def _names_missing_file(experiment: Experiment, key: str, text: str) -> bool:
    """Return whether a key is the path of a file, and the text is not the path of an existing one."""
    first, _, name = key.partition(".")
    choice = getattr(experiment, first) if first in CHOICES else None
    parameter = choice.plugin.parameters.get(name) if choice is not None else None
    is_path = parameter is not None and any(marked(parameter.annotation, each) for each in ("file", "directory"))
    return is_path and not os.path.exists(text)  # noqa: PTH110 - Path.exists raises an error for long names


def _labels(combinations: list[dict[str, str]]) -> Iterator[str]:
    """Return a label for each combination: ``mutation.rate=0.01,selection=roulette``; long ones become numbers."""
    labels = [",".join(f"{key}={_safe(text)}" for key, text in values.items()) for values in combinations]
    if max(map(len, labels)) > _LONGEST_LABEL or len(set(map(str.lower, labels))) < len(labels):
        labels = [f"{number:03d}" for number in range(1, len(labels) + 1)]
    return iter(labels)


def _safe(text: str) -> str:
    """Return a text without the characters that are special in file names or in a shell."""
    words = re.findall(r"[A-Za-z0-9._+-]+", re.sub(r"\bname:", " ", text))
    return "-".join(words) or "none"
