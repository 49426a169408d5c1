"""Reads YAML files, their bases, and command-line overrides into documents.

Nothing is executed. Only plain scalars, lists and mappings are accepted. Tags, merge keys and duplicate keys are
refused. Size and depth are limited.
"""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from fooldeap.configuration.document import COMMAND_LINE, Document, Key, Position, error_at, has_64_bits, put_under
from fooldeap.errors import FileError, InputError
from fooldeap.parameters import shown
from fooldeap.storage.inputs import read_json, read_text

MAX_BYTES = 2_000_000
MAX_NODES = 60_000  # enough for a study of 1000 variants with 60 values each
MAX_DEPTH = 40
MAX_LEVELS = 100  # of nested brackets, including those in keys
LONGEST_INTEGER = 100  # characters; 64 binary digits and their prefix need 67
MAX_FILES = 20  # in a chain of bases
TOO_MANY = f"got more than {MAX_NODES} values; do not repeat aliases (*name) of aliases"
TOO_DEEP = "is too deeply nested"
ENVIRONMENT, MADE_AT = "environment.json", "folder"  # the file of a run folder, and its key for the folder's path


def read(path: Path) -> Document:
    """Read a YAML file and merge it onto its ``base``, and that onto its own ``base``."""
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises errors, for example if a name is too long
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*.y*ml")], n=1)
        hint = f"; did you mean {str(path.parent / near[0])!r}?" if near else "; name a YAML file"
        raise InputError(f"no file {str(path)!r}{hint}")
    return _read(path, ())


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    document = parse(read_text(path, MAX_BYTES, named=True), source_of(path), path.resolve().parent)
    base = document.data.pop("base", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise document.error(("base",), f"got {shown(base)}, expected the path of another YAML file")
    target = path.parent / base
    if not os.path.isfile(target):  # noqa: PTH113 - as above
        raise document.error(("base",), f"no file {_named(target)}; the path is relative to this file")
    if target.resolve() in (*above, path.resolve()):
        raise document.error(("base",), f"{base!r} is itself based on this file; choose another base")
    if len(above) + 1 >= MAX_FILES:
        raise document.error(("base",), f"got more than {MAX_FILES} files in a chain; merge some of them")
    return document.merge_onto(_read(target, (*above, path.resolve())))


def _named(path: Path) -> str:
    try:
        return repr(source_of(path))
    except (OSError, ValueError, RuntimeError):
        return shown(str(path))


def source_of(path: Path) -> str:
    """Return a path for positions and messages, without needless ``folder/..``."""
    short = Path(os.path.normpath(path))
    return str(short if short.resolve() == path.resolve() else path)  # they differ if a folder is a link


def parse(text: str, place: str, folder: Path) -> Document:
    """Parse YAML text whose top level is a mapping. Paths in it are relative to ``folder``."""
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
    """Return ``key=value`` strings, as from the command line, as a document. Values are YAML.

    If a key is given twice, the later string applies. Otherwise the order does not matter: ``mutation=gaussian`` is
    always applied before ``mutation.sigma=9``.
    """
    document = Document({})
    for path, text in sorted(map(_split, overrides), key=lambda each: len(each[0])):
        reader = _Reader(COMMAND_LINE, Path.cwd(), lines=False)
        value = reader.read(text, path)
        document = put_under(path, value, reader.document, reader.place).merge_onto(document)
    return document


def _split(word: str) -> tuple[Key, str]:
    key, sign, text = word.partition("=")
    path: Key = tuple(key.split("."))
    if not sign or not all(path):
        raise InputError(f"{COMMAND_LINE}: got {word!r}, expected key=value such as mutation.rate=0.02")
    return path, text


class _OverLimit(Exception):
    """A document has too many values or nested brackets. It is not a `YAMLError`, because the YAML is valid."""

    def __init__(self, mark: Any, message: str) -> None:
        self.mark, self.message = mark, message


class _Composer(Composer):
    """A composer that stops early if there are too many values or nested brackets."""

    nodes = levels = 0

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.warn_double_anchors = False  # YAML allows setting an anchor again

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise _OverLimit(self.parser.peek_event().start_mark, TOO_DEEP)
        node = super().compose_node(parent, index)
        self.levels -= 1
        self.nodes += 1
        if self.nodes > 2 * MAX_NODES:  # keys are nodes, too
            raise _OverLimit(node.start_mark, TOO_MANY)
        return node


class _Reader:
    """Converts YAML to plain data, and records the position of each part."""

    def __init__(self, place: str, folder: Path, *, lines: bool = True) -> None:
        self.document, self.place, self.lines = Document({}), Position(place, folder=folder), lines
        self.nodes = 0
        self.constructor = YAML(typ="safe", pure=True).constructor

    def read(self, text: str, path: Key) -> Any:
        """Return the value of the text, as the value of the key ``path``."""
        try:
            yaml = YAML(typ="safe", pure=True)
            yaml.Composer = _Composer
            root = yaml.compose(text)
        except _OverLimit as error:
            raise error_at(self.spot(error.mark.line, error.mark.column), path, error.message) from None
        except YAMLError as error:
            line, column, problem = in_words(error, text)
            raise error_at(self.spot(line, column), path, f"invalid YAML: {problem}") from None
        except RecursionError:
            raise error_at(self.place, path, TOO_DEEP) from None
        except (ValueError, OverflowError, AssertionError, LookupError):  # bugs of ruamel.yaml
            found = re.search(r"\\U(?!000|0010)[0-9A-Fa-f]{8}", text)
            before = text[: found.start()].split("\n") if found else [""]
            problem = f"'{found[0]}' is not a character" if found else "it cannot be read"
            raise error_at(
                self.spot(len(before) - 1, len(before[-1])), path, f"invalid YAML: {problem}; remove it"
            ) from None
        return None if root is None else self.construct(root, path)

    def construct(self, node: Node, path: Key) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise error_at(self.at(node), path[:1], TOO_MANY)
        if len(path) > MAX_DEPTH:
            cure = "flatten it, and use no alias (*name) inside its own value"
            message = f"is nested more than {MAX_DEPTH} levels deep; {cure}"
            raise error_at(self.at(node), path[:1], message)
        self.document.values[path] = self.at(node)
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            self.expect_tag(node, path, "seq")
            return [self.construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)  # the only remaining type

    def mapping(self, node: MappingNode, path: Key) -> dict[str, Any]:
        self.expect_tag(node, path, "map")
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            if key in data:
                first = self.document.keys[*path, key]
                where = f" (first at {first.line}:{first.column})" if first.line else ""
                raise error_at(self.at(key_node), (*path, key), f"duplicate key{where}; remove one")
            self.document.keys[*path, key] = self.at(key_node)
            data[key] = self.construct(value_node, (*path, key))
            if value_node.start_mark.index == value_node.end_mark.index:  # empty; its mark is that of the next key
                self.document.values[*path, key] = self.at(key_node)
        return data

    def key(self, node: Node, path: Key) -> str:
        if not isinstance(node, ScalarNode):
            raise error_at(self.at(node), path, "got a list or mapping as a key, expected text; quote it")
        if self.tag(node) == "merge":
            raise error_at(self.at(node), path, "merge keys (<<) are not supported; use 'base: other.yaml'")
        return str(node.value)

    def scalar(self, node: Node, path: Key) -> Any:
        tag = self.tag(node)
        if tag in ("str", "timestamp", "value"):  # a date and '=' are plain text
            return str(node.value)
        if tag not in ("int", "float", "bool", "null"):
            self.expect_tag(node, path, "str")
        if tag == "int" and len(node.value.replace("_", "")) > LONGEST_INTEGER:
            raise self.out_of_range(node, path)
        try:
            value = getattr(self.constructor, f"construct_yaml_{tag}")(node)
        except (ValueError, LookupError):
            kind = {"int": "an integer", "float": "a number", "bool": "true or false"}.get(tag, tag)
            message = f"got {shown(node.value)}, expected {kind}; quote it to mean text"
            raise error_at(self.at(node), path, message) from None
        if isinstance(value, float) and "e" in node.value.lower() and value.is_integer() and abs(value) < 2**53:
            return int(value)  # 1e3 is accepted where an integer is expected
        if isinstance(value, int) and not has_64_bits(value):
            raise self.out_of_range(node, path)
        return value

    def out_of_range(self, node: Node, path: Key) -> InputError:
        message = f"got {shown(node.value)}, expected an integer of at most 64 bits; quote it to mean text"
        return error_at(self.at(node), path, message)

    def expect_tag(self, node: Node, path: Key, tag: str) -> None:
        if self.tag(node) != tag:
            raise error_at(self.at(node), path, f"tag {self.tag(node)!r} is not supported; remove it")

    def tag(self, node: Node) -> str:
        return str(node.tag).removeprefix("tag:yaml.org,2002:")

    def at(self, node: Node) -> Position:
        return self.spot(node.start_mark.line, node.start_mark.column)

    def spot(self, line: int, column: int) -> Position:
        return self.place._replace(line=line + 1, column=column + 1) if self.lines else self.place


# Messages of ruamel.yaml and their replacements. "^": the position is the start of the construct, not of the error.
_CURES = {
    r"mapping values are not allowed here": "unexpected ':'; check the indentation, or quote the text",
    r"found character '\\t'": "unexpected tab; use spaces",
    r"found character '(.)' that cannot start": r"text cannot begin with '\1'; quote it",
    r"expected (',' or '[]}]'), but got (.*)": r"got \2, expected \1 in the list or mapping that begins in line {line}",
    r"expected <block end>, but found": "unexpected text in the block from line {line} on; check the indentation",
    r"expected '<document start>', but found": "unexpected text after the end of the document; check the brackets",
    r"sequence entries are not allowed here": "unexpected '-'; check the indentation",
    r"could not find expected ':'": "^got a line without ':', expected 'key: value'",
    r"found unexpected end of stream": "^unclosed quotation mark",
    r"found unknown escape character '(.)'": r"'\\\1' is not an escape sequence; use single quotes",
    r"expected the node content, but found (.*)": r"got \1, expected a value",
    r"found undefined alias '(.*)'": r"the alias '*\1' has no anchor '&\1' above it; quote it to mean text",
    r"but found another document": "a second document (---) begins here; use one document per file",
}


def in_words(error: YAMLError, text: str) -> tuple[int, int, str]:
    """Return line and column, both counted from 0, and the message."""
    if isinstance(error, ReaderError):  # the only error without marks
        before = text[: error.position].split("\n")
        return len(before) - 1, len(before[-1]), f"got the control character {chr(error.character)!r}; remove it"
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    problem = problem if problem.isprintable() else ascii(problem)
    mark, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    for pattern, words in _CURES.items():
        found = re.match(pattern, str(getattr(error, "problem", "")))
        if found:
            mark = began if words.startswith("^") and began else mark
            problem = found.expand(words.removeprefix("^")).replace("{line}", str(began.line + 1 if began else 1))
            problem = problem.replace("'<stream end>'", "the end of the file")
            break
    mark = mark or began
    return (mark.line, mark.column, problem) if mark else (0, 0, problem)


def found_again(document: Document, folder: Path) -> Document:
    """Return the document of a run folder with its current paths, after the folder was moved together with its files.

    A configuration has absolute paths, so that it is valid in any folder. If such a path does not exist, the same path
    relative to the folder is tried. The folder's original path is in ``environment.json``.
    """
    file = folder / ENVIRONMENT
    try:
        made_at = read_json(file)[MADE_AT] if file.is_file() else None
    except (FileError, ValueError, KeyError, TypeError):
        return document  # not the folder of a run
    now = str(folder.resolve())
    if not isinstance(made_at, str) or not Path(made_at).is_absolute() or made_at == now:
        return document
    return replace(document, data=_changed(document.data, made_at, now))


def _changed(value: Any, made_at: str, now: str) -> Any:
    if isinstance(value, dict):
        return {key: _changed(each, made_at, now) for key, each in value.items()}
    if isinstance(value, list):
        return [_changed(each, made_at, now) for each in value]
    return _place(value, made_at, now) if isinstance(value, str) and value.startswith("/") else value


def _place(path: str, made_at: str, now: str) -> str:
    try:
        there = Path(now, os.path.relpath(path, made_at)).resolve()
        return str(there) if not Path(path).exists() and there.exists() else path
    except (ValueError, OSError, RuntimeError):  # not a path: a NUL byte, too long, a loop of links
        return path
