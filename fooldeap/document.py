"""YAML as data with positions: what was written, and where, so that every message can point at it.

Nothing is executed: only plain scalars, lists and mappings are taken; tags, merge keys and duplicate keys are refused,
size and depth are bounded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fooldeap.errors import InputError

Key = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 40


@dataclass
class Document:
    """Plain data and, for each key path in it, who said it and where."""

    data: dict[str, Any]
    values: dict[Key, str] = field(default_factory=dict)
    keys: dict[Key, str] = field(default_factory=dict)
    folders: dict[Key, Path] = field(default_factory=dict)

    def error(self, path: Key, message: str, *, at_key: bool = False) -> InputError:
        """Return an error of one line: place, key, message."""
        return InputError(self.line(path, message, at_key=at_key))

    def line(self, path: Key, message: str, *, at_key: bool = False) -> str:
        """Return ``file:line:column: key: message``. A key that nobody wrote is placed at the nearest one above it."""
        places = self.keys if at_key else self.values
        place = next((places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places), "")
        return ": ".join(part for part in (place, dotted(path), message) if part)

    def over(self, base: "Document") -> "Document":
        """Return this document laid over another, mapping by mapping.

        Where both choose a plugin, its parameters are carried over only if it is the same plugin.
        """
        merged = Document(_joined(base.data, self.data))
        for mine, theirs, target in (
            (self.values, base.values, merged.values),
            (self.keys, base.keys, merged.keys),
            (self.folders, base.folders, merged.folders),
        ):
            target.update(theirs)  # type: ignore[arg-type]
            target.update(mine)  # type: ignore[arg-type]
        return merged


def dotted(path: Key) -> str:
    """Return a key path as people write it: ``mutation.rate``, ``reporters[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read(path: Path) -> Document:
    """Read a YAML file and the files it names as its ``base``, each laid over the one it names."""
    return _read(path, ())


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    document = parse(_text(path), str(path), path.resolve().parent)
    base = document.data.pop("base", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise document.error(("base",), f"got {base!r}, expected the path of another YAML file")
    target = path.parent / base
    if target.resolve() in (*above, path.resolve()):
        raise document.error(("base",), f"{base!r} leads back to this file; name a file that does not build on it")
    if not target.is_file():
        raise document.error(("base",), f"no file {str(target)!r}; the path is relative to this file")
    return document.over(_read(target, (*above, path.resolve())))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a YAML file") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: {len(raw)} bytes, expected at most {MAX_BYTES}: is this an experiment?")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parse(text: str, place: str, folder: Path) -> Document:
    """Parse YAML text whose top level is a mapping. ``folder`` is what paths in it are relative to."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise InputError(_syntax_error(error, place)) from None
    document = Document({})
    reader = _Reader(document, place, folder)
    data = {} if root is None else reader.construct(root, ())
    if not isinstance(data, dict):
        raise InputError(f"{place}:1:1: got {_name(data)}, expected a mapping such as 'seed: 1'")
    document.data = data
    return document


def from_overrides(overrides: Iterable[str]) -> Document:
    """Return ``key=value`` words, as from the command line, as a document; values are YAML."""
    document = Document({})
    for word in overrides:
        key, sign, text = word.partition("=")
        path: Key = tuple(key.split("."))
        if not sign or not all(path):
            raise InputError(f"command line: got {word!r}, expected key=value such as mutation.rate=0.02")
        value = parse(f"value: {text}", f"command line: {word}", Path.cwd()).data.get("value")
        document = _nested(path, value, "command line").over(document)
    return document


def from_mapping(data: Mapping[str, Any], place: str = "argument") -> Document:
    """Return plain data, as from Python, as a document."""
    document = Document({})
    for key, value in data.items():
        document = _nested(tuple(str(key).split(".")), value, place).over(document)
    return document


def _nested(path: Key, value: Any, place: str) -> Document:
    for part in reversed(path):
        value = {part: value}
    where = {path[:end]: place for end in range(1, len(path) + 1)}
    return Document(value, dict(where), dict(where), dict.fromkeys(where, Path.cwd()))


def _joined(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, str) and isinstance(over, dict) and "name" not in over:
        base = {"name": base}  # 'mutation: random_pixels' and over it 'mutation: {rate: 0.1}'
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    if "name" in over and over["name"] != base.get("name"):
        return over  # another plugin: the parameters of the first mean nothing to it
    return _joined(base, over)


class _Reader:
    """Turns YAML nodes into plain data, noting where each came from."""

    def __init__(self, document: Document, place: str, folder: Path) -> None:
        self.document, self.place, self.folder = document, place, folder
        self.nodes = 0
        self.constructor = YAML(typ="safe", pure=True).constructor

    def construct(self, node: Node, path: Key) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise InputError(f"{self.at(node)}: too large or too deeply nested; aliases that repeat themselves?")
        self.document.values[path] = self.at(node)
        self.document.folders[path] = self.folder
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            self.expect_tag(node, "seq")
            return [self.construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node)  # all that is left

    def mapping(self, node: MappingNode, path: Key) -> dict[str, Any]:
        self.expect_tag(node, "map")
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key in data:
                raise InputError(f"{self.at(key_node)}: {dotted((*path, key))}: stands here twice; remove one")
            self.document.keys[*path, key] = self.at(key_node)
            data[key] = self.construct(value_node, (*path, key))
        return data

    def key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise InputError(f"{self.at(node)}: a key must be plain text; quote it?")
        if node.value == "<<" or self.tag(node) == "merge":
            raise InputError(f"{self.at(node)}: merge keys (<<) are not taken; use 'base: other.yaml'")
        return str(node.value)

    def scalar(self, node: Node) -> Any:
        tag = self.tag(node)
        if tag == "str":
            return node.value
        if tag not in ("int", "float", "bool", "null"):
            raise InputError(f"{self.at(node)}: tag {str(node.tag)!r} is not taken; YAML is plain data here")
        try:
            return getattr(self.constructor, f"construct_yaml_{tag}")(node)
        except (ValueError, KeyError):
            raise InputError(f"{self.at(node)}: {node.value!r} is no {tag}; quote it to mean text") from None

    def expect_tag(self, node: Node, tag: str) -> None:
        if self.tag(node) != tag:
            raise InputError(f"{self.at(node)}: tag {str(node.tag)!r} is not taken; YAML is plain data here")

    def tag(self, node: Node) -> str:
        return str(node.tag).removeprefix("tag:yaml.org,2002:")

    def at(self, node: Node) -> str:
        if self.place.startswith("command line"):
            return self.place
        return f"{self.place}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _syntax_error(error: YAMLError, place: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    if mark is None or place.startswith("command line"):
        return f"{place}: is no YAML: {problem}"
    return f"{place}:{mark.line + 1}:{mark.column + 1}: is no YAML: {problem}; check indentation and brackets"


def _name(data: Any) -> str:
    return "a list" if isinstance(data, list) else f"{data!r}"
