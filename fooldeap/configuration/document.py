"""Configuration data with source positions, so that messages can point at them, and merging of documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fooldeap.errors import InputError

Key = tuple[str | int, ...]

COMMAND_LINE, ARGUMENT = "command line", "argument"

MAX_WORD, MAX_PATH, MAX_MESSAGE = 60, 200, 1200  # characters in a line of error: key, key path, rest


class Position(NamedTuple):
    """The source of a value: if it is a file, its line and column, counted from 1. Its paths are below ``folder``."""

    source: str
    line: int = 0
    column: int = 0
    folder: Path = Path()

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass
class Document:
    """Plain data with the source positions of the value and of the key at each key path."""

    data: dict[str, Any]
    values: dict[Key, Position] = field(default_factory=dict)
    keys: dict[Key, Position] = field(default_factory=dict)

    def error(self, path: Key, message: str, *, at_key: bool = False) -> InputError:
        """Return an error of one line: position, key, message."""
        return error_at(self.place(path, at_key=at_key), path, message)

    def place(self, path: Key, *, at_key: bool = False) -> Position:
        """Return the position of a value or of its key. If it has none, return the position of its nearest parent."""
        places = self.keys if at_key else self.values
        return next((places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places), Position(""))

    def subtree(self, path: Key, under: Key) -> "Document":
        """Return the value at ``path`` as a document with this value at ``under``. Positions are kept."""
        value = _at(self.data, path)
        paths = [inner for inner, _ in _walk(value, path)]

        def moved(places: Mapping[Key, Position]) -> dict[Key, Position]:
            return {(*under, *key[len(path) :]): places[key] for key in paths if key in places}

        at_key = self.place(path, at_key=True)
        keys = {under[:end]: at_key for end in range(1, len(under) + 1)}
        part = Document({}, moved(self.values), {**moved(self.keys), **keys})
        return put_under(under, value, part, self.place(path))

    def without(self, *keys: str) -> "Document":
        """Return the document without some of its top-level keys."""
        return replace(self, data={key: value for key, value in self.data.items() if key not in keys})

    def merge_onto(self, base: "Document") -> "Document":
        """Return this document merged onto another, mapping by mapping.

        If both choose a plugin, its parameters are only merged if it is the same plugin.
        """
        data = _joined(base.data, self.data)
        return Document(
            data,
            {**_kept(base.values, base.data, data), **self.values},
            {**_kept(base.keys, base.data, data), **self.keys},
        )


def has_64_bits(value: int) -> bool:
    """Return whether an integer fits into 64 bits, as arrays and C libraries require."""
    return -(2**63) <= value < 2**63


def error_at(place: Position, path: Key, message: str) -> InputError:
    """Return an error of one line: position, key, message."""
    keys, message = _cut(dotted(path), MAX_PATH), "\n".join(_cut(line, MAX_MESSAGE) for line in message.split("\n"))
    return InputError(": ".join(part for part in (str(place), keys, message) if part))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def dotted(path: Key) -> str:
    """Return a key path as text: ``mutation.rate``, ``reporters[1]``. Long keys are shortened."""
    text = ""
    for part in path:
        word = _cut(str(part) if str(part).isprintable() else repr(part), MAX_WORD)
        text += f"[{word}]" if isinstance(part, int) else f".{word}" if text else word
    return text


def from_mapping(data: Mapping[str, Any], place: str = ARGUMENT) -> Document:
    """Return data from Python as a document. It may contain numpy numbers and ranges, and keys may be dotted."""
    document, data, position = Document({}), _plain(data), Position(place, folder=Path.cwd())
    for key in sorted(data, key=lambda each: str(each).count(".")):
        path: Key = tuple(str(key).split("."))
        places = dict[Key, Position]()
        for inner, value in _walk(data[key], path):
            if isinstance(value, int) and not has_64_bits(value):
                message = f"got an integer of {value.bit_length()} bits, expected at most 64 bits"
                raise error_at(position, inner, message)
            places[inner] = position
        document = put_under(path, data[key], Document({}, places, dict(places)), position).merge_onto(document)
    return document


def _plain(value: Any) -> Any:
    """Return data with YAML's types only."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def put_under(path: Key, value: Any, document: Document, place: Position) -> Document:
    """Put ``value`` into a document at ``path``. Positions that the document has already are kept."""
    for end in range(len(path), 0, -1):
        value = {path[end - 1]: value}
        document.values.setdefault(path[:end], place)
        document.keys.setdefault(path[:end], place)
    document.data = value
    return document


def _walk(value: Any, path: Key) -> Iterator[tuple[Key, Any]]:
    """Yield a value and all values in it, each with its path."""
    yield path, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from _walk(inner, (*path, key))


def _kept(places: Mapping[Key, Position], before: Any, merged: Any) -> dict[Key, Position]:
    """Return the positions of values that still exist after a merge."""
    kept = {path: place for path, place in places.items() if _at(merged, path) is not _NOTHING}
    # 'mutation: random_pixels' may have become {name: random_pixels, rate: 0.1}.
    named = [path for path in kept if isinstance(_at(before, path), str) and isinstance(_at(merged, path), dict)]
    return {**kept, **{(*path, "name"): kept[path] for path in named}}


_NOTHING = object()


def _at(data: Any, path: Key) -> Any:
    for part in path:
        if not isinstance(data, dict | list | tuple):
            return _NOTHING
        try:
            data = data[part]  # type: ignore[index]
        except (LookupError, TypeError):
            return _NOTHING
    return data


def _joined(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, str) and isinstance(over, dict) and "name" not in over:
        base = {"name": base}  # 'mutation: random_pixels' merged with 'mutation: {rate: 0.1}'
    if isinstance(over, str) and isinstance(base, dict) and base.get("name") == over:
        return base  # the reverse case
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    if "name" in over and over["name"] != base.get("name"):
        return over  # another plugin: the base's parameters do not apply
    return _joined(base, over)
