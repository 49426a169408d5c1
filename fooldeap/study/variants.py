"""Read the variants of a study file: the grid of ``vary``, the named ``variants``, and their factors."""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from fooldeap.configuration.document import Document, Key
from fooldeap.errors import did_you_mean
from fooldeap.parameters import shown

KEYS = ("vary", "variants", "factors", "goal", "budget", "candidate")
# Keys that all variants share; and keys of an experiment that a study sets with a key of its own.
COMMON = (
    "name",
    "seed",
    "seeds",
    "targets",
    "plugins",
    "executor",
    "reporters",
    "concurrent_runs",
    "on_error",
    "report",
    "keep_journals",
    "keep",
)
ELSEWHERE = {"stop.confidence": "goal", "stop.score": "goal", "stop.evaluations": "budget"}
LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_VARIANT = re.compile(rf"{LABEL}(\+{LABEL})*")
MOST_VARIANTS = 1000
LONGEST_NAME = 120  # letters in the name of a variant, which is also the name of its folder


def variants(study: Document) -> Iterator[tuple[str, Document]]:
    """Yield the variants of the grid, then the named variants, each with its changes to the base."""
    names = set[str]()
    for name, path, part in itertools.chain(_grid_variants(study), _named_variants(study)):
        if name in names:
            raise study.error(path, f"got a second variant {name!r}, expected each name once; choose another name")
        names.add(name)
        yield name, part


def factors(study: Document, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return, by factor, the level of each variant, from the keys of the grid and from ``factors``."""
    axes, found = _axes(study), dict[str, dict[str, str]]()
    for combination in itertools.product(*axes.values()) if axes else ():
        labels = [label for label, _, _ in combination]
        for key, label in zip(axes, labels, strict=True):
            if len(axes[key]) > 1:
                found.setdefault(key, {})["+".join(labels)] = label
    for name, levels in _read_mapping(study, ("factors",), "{size: {small-a: small, large-a: large}, ...}").items():
        _check_levels(study, ("factors", name), levels, names)
        found[name] = {**found.get(name, {}), **levels}
    _check_distinct(study, found, names)
    return found if len(found) > 1 else {}


def _check_levels(study: Document, path: Key, levels: Any, names: Collection[str]) -> None:
    if not isinstance(levels, dict) or len(set(map(str, levels.values()))) < 2:
        raise study.error(
            path, f"got {shown(levels)}, expected variants with at least two levels: {{a: small, b: large}}"
        )
    for variant, level in levels.items():
        if variant not in names:
            raise study.error((*path, variant), f"no variant has this name{did_you_mean(variant, names)}", at_key=True)
        if not isinstance(level, str):
            raise study.error((*path, variant), f"got {shown(level)}, expected the name of a level")


def _check_distinct(study: Document, found: dict[str, dict[str, str]], names: Collection[str]) -> None:
    """Refuse two variants that have the same level of every factor."""
    alike = defaultdict[tuple[str, ...], list[str]](list)
    for name in names:
        if found and all(name in levels for levels in found.values()):
            alike[tuple(levels[name] for levels in found.values())].append(name)
    for each in alike.values():
        if len(each) > 1:
            message = f"{each[0]} and {each[1]} have the same level of every factor; add a factor in which they differ"
            raise study.error(("factors",), message)


def _named_variants(study: Document) -> Iterator[tuple[str, Key, Document]]:
    for name, changes in _read_mapping(
        study, ("variants",), "{small: {algorithm.population: 20}, large: {...}}"
    ).items():
        path: Key = ("variants", name)
        check_name(study, path, name)
        if not isinstance(changes, dict):
            raise study.error(path, f"got {shown(changes)}, expected a mapping of keys to change")
        part = Document({})
        for key in sorted(changes, key=lambda each: each.count(".")):
            check_key(study, (*path, key), key)
            part = study.subtree((*path, key), tuple(key.split("."))).merge_onto(part)
        _check_stops(study, path, part)
        yield name, path, part


def _grid_variants(study: Document) -> Iterator[tuple[str, Key, Document]]:
    """Yield one variant for every combination of one option of each key."""
    axes = list(_axes(study).values())
    if math.prod(map(len, axes)) > MOST_VARIANTS:
        message = f"got {' x '.join(str(len(axis)) for axis in axes)} variants, expected at most {MOST_VARIANTS}"
        raise study.error(("vary",), f"{message}; vary fewer keys at a time")
    for combination in itertools.product(*axes) if axes else ():
        part = Document({})
        for _, path, under in sorted(combination, key=lambda each: len(each[2])):
            part = study.subtree(path, under).merge_onto(part)
        _check_stops(study, ("vary",), part)
        name = "+".join(label for label, _, _ in combination)
        if len(name) > LONGEST_NAME:
            message = (
                f"got the variant {name!r}, expected at most {LONGEST_NAME} letters; give its options shorter labels"
            )
            raise study.error(("vary",), message)
        yield name, combination[-1][1], part


def _axes(study: Document) -> dict[str, list[tuple[str, Key, Key]]]:
    """Return the keys of ``vary``, each with its options as `_options` yields them."""
    vary = _read_mapping(study, ("vary",), "{selection: {small: {name: tournament, size: 2}, roulette: roulette}}")
    return {key: list(_options(study, key)) for key, options in vary.items() if options is not None}


def _options(study: Document, key: str) -> Iterator[tuple[str, Key, Key]]:
    """Yield the options of a key: label, position in the study file, and key of the experiment."""
    path: Key = ("vary", key)
    options = study.data["vary"][key]
    check_key(study, path, key)
    under: Key = tuple(key.split("."))
    if isinstance(options, list) and options:
        for index, value in enumerate(options):
            yield make_label(study, (*path, index), str(under[-1]), value), (*path, index), under
    elif isinstance(options, dict) and options and "name" not in options:
        for label in options:
            check_name(study, (*path, label), label)
            yield label, (*path, label), under
    else:
        raise study.error(
            path, f"got {shown(options)}, expected several options: a list, or a mapping {{label: value, label: value}}"
        )


def make_label(study: Document, path: Key, key: str, value: Any) -> str:
    """Make a label for an option without one: ``rate-0.01``, ``roulette``, ``tournament-2``."""
    if isinstance(value, dict):
        words = [value.get("name", key), *(each for name, each in value.items() if name != "name")]
    else:
        words = [value] if isinstance(value, str) else [key, "none" if value is None else value]
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(map(str, words)))[:64]
    check_name(study, path, label)
    return label


def _read_mapping(study: Document, path: Key, example: str) -> dict[str, Any]:
    value = study.data.get(str(path[0])) or {}
    if not isinstance(value, dict):
        raise study.error(path, f"got {shown(value)}, expected a mapping such as {example}")
    return value


def check_name(study: Document, path: Key, name: str) -> None:
    """Refuse a name that cannot be the name of a folder."""
    if not _VARIANT.fullmatch(name):
        expected = "expected up to 64 letters, digits, '-', '_' or '.', starting with a letter or digit"
        raise study.error(path, f"got {shown(name)} as a name, {expected}", at_key=True)


def check_key(study: Document, path: Key, key: str) -> None:
    """Refuse to vary a key that all variants must share."""
    first = key.partition(".")[0]
    if first in COMMON:
        message = f"{first!r} is the same for all variants; set it outside 'vary' and 'variants'"
        raise study.error(path, message, at_key=True)
    if key in ELSEWHERE or key in KEYS:
        named = ELSEWHERE.get(key, key)
        raise study.error(path, f"is the same for all variants; set the key {named!r} of the study", at_key=True)


def _check_stops(study: Document, path: Key, part: Document) -> None:
    stop = part.data.get("stop")
    for name in stop if isinstance(stop, dict) else ():
        if f"stop.{name}" in ELSEWHERE:
            cure = f"set the key {ELSEWHERE[f'stop.{name}']!r} of the study"
            raise part.error(("stop", name), f"is the same for all variants; {cure}")
