"""YAML as data with positions: what was written, and where, so that every message can point at it.

Nothing is executed: only plain scalars, lists and mappings are taken; tags, merge keys and duplicate keys are refused,
size and depth are bounded.
"""

import difflib
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fooldeap.configuration.syntax import in_words
from fooldeap.errors import InputError
from fooldeap.parameters import shown

Key = tuple[str | int, ...]
T = TypeVar("T")

COMMAND_LINE, ARGUMENT = "command line", "argument"

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 40
MAX_LEVELS = 100  # of brackets in brackets, keys included
MAX_BITS = 4096  # of an integer; Python itself does not write down much longer ones
MAX_FILES = 20  # of which each is the base of the one before
MAX_WORD, MAX_PATH, MAX_MESSAGE = 60, 200, 1200  # characters in a line of error: of a key, of the keys, of the rest


class Place(NamedTuple):
    """Who said something and, if it was a file, in which line and column, counted from 1; whatever its name."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass
class Document:
    """Plain data and, for each key path in it, who said it and where."""

    data: dict[str, Any]
    values: dict[Key, Place] = field(default_factory=dict)
    keys: dict[Key, Place] = field(default_factory=dict)
    folders: dict[Key, Path] = field(default_factory=dict)

    def error(self, path: Key, message: str, *, at_key: bool = False) -> InputError:
        """Return an error of one line: place, key, message."""
        return _error(self.place(path, at_key=at_key), path, message)

    def place(self, path: Key, *, at_key: bool = False) -> Place:
        """Return where the value of a key, or the key, was written; if nobody wrote it, the nearest one above it."""
        places = self.keys if at_key else self.values
        return next((places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places), Place(""))

    def part(self, path: Key, under: Key) -> "Document":
        """Return what stands at a path, as a document in which it stands under other keys; places stay its own."""

        def moved(places: Mapping[Key, T]) -> dict[Key, T]:
            return {(*under, *key[len(path) :]): place for key, place in places.items() if key[: len(path)] == path}

        at_key = self.place(path, at_key=True)
        keys = {under[:end]: at_key for end in range(1, len(under) + 1)}
        part = Document({}, moved(self.values), {**moved(self.keys), **keys}, moved(self.folders))
        return _under(under, _at(self.data, path), part, self.place(path))

    def without(self, *keys: str) -> "Document":
        """Return the document less some of its top-level keys."""
        data = {key: value for key, value in self.data.items() if key not in keys}
        return Document(data, _kept(self.values, self.data, data), self.keys, _kept(self.folders, self.data, data))

    def over(self, base: "Document") -> "Document":
        """Return this document laid over another, mapping by mapping.

        Where both choose a plugin, its parameters are carried over only if it is the same plugin.
        """
        data = _joined(base.data, self.data)
        return Document(
            data,
            {**_kept(base.values, base.data, data), **self.values},
            {**_kept(base.keys, base.data, data), **self.keys},
            {**_kept(base.folders, base.data, data), **self.folders},
        )


def _error(place: Place, path: Key, message: str) -> InputError:
    keys, message = _cut(dotted(path), MAX_PATH), "\n".join(_cut(line, MAX_MESSAGE) for line in message.split("\n"))
    return InputError(": ".join(part for part in (str(place), keys, message) if part))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def dotted(path: Key) -> str:
    """Return a key path as people write it: ``mutation.rate``, ``reporters[1]``; a long word is cut."""
    text = ""
    for part in path:
        word = _cut(str(part) if str(part).isprintable() else repr(part), MAX_WORD)
        text += f"[{word}]" if isinstance(part, int) else f".{word}" if text else word
    return text


def read(path: Path) -> Document:
    """Read a YAML file and the files it names as its ``base``, each laid over the one it names."""
    if not _is_file(path):
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*.y*ml")], n=1)
        hint = f"; did you mean {str(path.parent / near[0])!r}?" if near else "; name a YAML file"
        raise InputError(f"no file {str(path)!r}{hint}")
    return _read(path, ())


def says(path: Path, key: str) -> bool:
    """Tell whether a file itself, and not its base, has a top-level key."""
    return key in parse(_text(path), _short(path), path.resolve().parent).data


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    document = parse(_text(path), _short(path), path.resolve().parent)
    base = document.data.pop("base", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise document.error(("base",), f"got {shown(base)}, expected the path of another YAML file")
    target = path.parent / base
    if not _is_file(target):
        raise document.error(("base",), f"no file {_named(target)}; the path is relative to this file")
    if target.resolve() in (*above, path.resolve()):
        raise document.error(("base",), f"{base!r} leads back to this file; name a file that does not build on it")
    if len(above) + 1 >= MAX_FILES:
        raise document.error(("base",), f"is the base of {MAX_FILES} files, one of the other; put some into one")
    return document.over(_read(target, (*above, path.resolve())))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name; a NUL byte
        return False


def _named(path: Path) -> str:
    try:
        return repr(_short(path))
    except (OSError, ValueError, RuntimeError):
        return shown(str(path))


def _short(path: Path) -> str:
    """Return a path without needless ``folder/..``, as messages show it."""
    short = Path(os.path.normpath(path))
    return str(short if short.resolve() == path.resolve() else path)  # they differ where a folder is a link


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # no more: it may be any file, and without end
        size = max(len(raw), path.stat().st_size)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a YAML file") from None
    if size > MAX_BYTES:
        raise InputError(f"{path}: got {size} bytes, expected at most {MAX_BYTES}; name a YAML file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parse(text: str, place: str, folder: Path) -> Document:
    """Parse YAML text whose top level is a mapping. ``folder`` is what paths in it are relative to."""
    reader = _Reader(place, folder)
    data = reader.read(text, ())
    if data is None:  # an empty file
        data = {}
    if not isinstance(data, dict):
        got = "a list" if isinstance(data, list) else shown(data)
        raise reader.document.error((), f"got {got}, expected a mapping such as 'seed: 1'")
    reader.document.data = data
    return reader.document


def from_overrides(overrides: Iterable[str]) -> Document:
    """Return ``key=value`` words, as from the command line, as a document; values are YAML.

    Of two words for one key the later holds. Otherwise order does not matter: ``mutation=gaussian`` comes before
    ``mutation.sigma=9`` wherever it stands.
    """
    document = Document({})
    for path, text in sorted(map(_split, overrides), key=lambda each: len(each[0])):
        reader = _Reader(COMMAND_LINE, Path.cwd(), lines=False)
        value = reader.read(text, path)
        document = _under(path, value, reader.document, reader.place).over(document)
    return document


def from_mapping(data: Mapping[str, Any], place: str = ARGUMENT) -> Document:
    """Return plain data, as from Python, as a document. Keys may be dotted, see `from_overrides`."""
    document = Document({})
    for key in sorted(data, key=lambda each: str(each).count(".")):
        path: Key = tuple(str(key).split("."))
        places = dict.fromkeys(_paths(data[key], path), Place(place))
        said = Document({}, places, dict(places), dict.fromkeys(places, Path.cwd()))
        document = _under(path, data[key], said, Place(place)).over(document)
    return document


def _split(word: str) -> tuple[Key, str]:
    key, sign, text = word.partition("=")
    path: Key = tuple(key.split("."))
    if not sign or not all(path):
        raise InputError(f"{COMMAND_LINE}: got {word!r}, expected key=value such as mutation.rate=0.02")
    return path, text


def _under(path: Key, value: Any, document: Document, place: Place) -> Document:
    """Give a document the data ``value`` under the keys of ``path``; the places below that it has already."""
    for end in range(len(path), 0, -1):
        value = {path[end - 1]: value}
        document.values.setdefault(path[:end], place)
        document.keys.setdefault(path[:end], place)
        document.folders.setdefault(path[:end], Path.cwd())
    document.data = value
    return document


def _paths(value: Any, path: Key) -> Iterator[Key]:
    """Yield the path of a value and of all that is in it."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else _numbered(value):
        yield from _paths(inner, (*path, key))


def _numbered(value: Any) -> Iterable[tuple[int, Any]]:
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _kept(places: Mapping[Key, T], before: Any, merged: Any) -> dict[Key, T]:
    """Return the places of what is still there after a merge."""
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
        base = {"name": base}  # 'mutation: random_pixels' and over it 'mutation: {rate: 0.1}'
    if isinstance(over, str) and isinstance(base, dict) and base.get("name") == over:
        return base  # the other way round
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    if "name" in over and over["name"] != base.get("name"):
        return over  # another plugin: the parameters of the first mean nothing to it
    return _joined(base, over)


class _TooMany(Exception):
    def __init__(self, node: Node) -> None:
        self.node = node


class _TooDeep(Exception):
    def __init__(self, mark: Any) -> None:
        self.mark = mark


class _Composer(Composer):
    """Gives up where there are too many values, or brackets in brackets, before they have all been read."""

    nodes = levels = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise _TooDeep(self.parser.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.levels -= 1
        self.nodes += 1
        if self.nodes > 2 * MAX_NODES:  # keys are nodes as well
            raise _TooMany(node)
        return node


class _Reader:
    """Turns YAML into plain data, noting where each part came from."""

    def __init__(self, place: str, folder: Path, *, lines: bool = True) -> None:
        self.document, self.place, self.folder, self.lines = Document({}), Place(place), folder, lines
        self.nodes = 0
        self.constructor = YAML(typ="safe", pure=True).constructor

    def read(self, text: str, path: Key) -> Any:
        """Return what the text says, as the value of the key ``path``."""
        try:
            with warnings.catch_warnings(action="ignore"):  # ruamel warns of an anchor that is set anew, which is YAML
                yaml = YAML(typ="safe", pure=True)
                yaml.Composer = _Composer
                root = yaml.compose(text)
        except _TooMany as error:
            raise self.too_many(error.node, path) from None
        except _TooDeep as error:
            raise _error(self.spot(error.mark.line, error.mark.column), path, "is too deeply nested") from None
        except YAMLError as error:
            line, column, problem = in_words(error, text)
            raise _error(self.spot(line, column), path, f"is no YAML: {problem}") from None
        except RecursionError:
            raise _error(self.place, path, "is too deeply nested") from None
        except (ValueError, OverflowError, AssertionError, LookupError):  # which ruamel does not mean to raise
            found = re.search(r"\\U(?!000|0010)[0-9A-Fa-f]{8}", text)
            before = text[: found.start()].split("\n") if found else [""]
            problem = f"'{found[0]}' is no character" if found else "it cannot be read"
            raise _error(
                self.spot(len(before) - 1, len(before[-1])), path, f"is no YAML: {problem}; remove it"
            ) from None
        return None if root is None else self.construct(root, path)

    def construct(self, node: Node, path: Key) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.too_many(node, path)
        if len(path) > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep; flatten it, and let no alias (*name) stand in itself"
            raise _error(self.at(node), path[:1], message)
        self.document.values[path] = self.at(node)
        self.document.folders[path] = self.folder
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            self.expect_tag(node, path, "seq")
            return [self.construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)  # all that is left

    def too_many(self, node: Node, path: Key) -> InputError:
        message = f"got more than {MAX_NODES} values; do not repeat aliases (*name) of aliases"
        return _error(self.at(node), path[:1], message)

    def mapping(self, node: MappingNode, path: Key) -> dict[str, Any]:
        self.expect_tag(node, path, "map")
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            if key in data:
                first = self.document.keys[*path, key]
                where = f" (first at {first.line}:{first.column})" if first.line else ""
                raise _error(self.at(key_node), (*path, key), f"stands here twice{where}; remove one")
            self.document.keys[*path, key] = self.at(key_node)
            data[key] = self.construct(value_node, (*path, key))
            if value_node.start_mark.index == value_node.end_mark.index:  # an empty value, which begins at the next key
                self.document.values[*path, key] = self.at(key_node)
        return data

    def key(self, node: Node, path: Key) -> str:
        if not isinstance(node, ScalarNode):
            raise _error(self.at(node), path, "got a list or mapping as a key, expected text; quote it?")
        if self.tag(node) == "merge":
            raise _error(self.at(node), path, "merge keys (<<) are not taken; use 'base: other.yaml'")
        return str(node.value)

    def scalar(self, node: Node, path: Key) -> Any:
        tag = self.tag(node)
        if tag in ("str", "timestamp", "value"):  # a date and '=' are text like any other
            return str(node.value)
        if tag not in ("int", "float", "bool", "null"):
            self.expect_tag(node, path, "str")
        try:
            value = getattr(self.constructor, f"construct_yaml_{tag}")(node)
            if isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise ValueError
            return value
        except (ValueError, LookupError):
            kind = {"int": "integer", "float": "number", "bool": "true or false"}.get(tag, tag)
            message = f"got {shown(node.value)}, which is no {kind}; quote it to mean text"
            raise _error(self.at(node), path, message) from None

    def expect_tag(self, node: Node, path: Key, tag: str) -> None:
        if self.tag(node) != tag:
            raise _error(self.at(node), path, f"tag {self.tag(node)!r} is not taken; write plain data without it")

    def tag(self, node: Node) -> str:
        return str(node.tag).removeprefix("tag:yaml.org,2002:")

    def at(self, node: Node) -> Place:
        return self.spot(node.start_mark.line, node.start_mark.column)

    def spot(self, line: int, column: int) -> Place:
        return Place(self.place.source, line + 1, column + 1) if self.lines else self.place
