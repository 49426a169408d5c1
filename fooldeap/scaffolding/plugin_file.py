"""Write a template for a new plugin: a working, commented plugin and its test."""

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from fooldeap import registry
from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import KINDS
from fooldeap.storage.files import write_whole

_TEMPLATES = resources.files("fooldeap.data") / "templates"


def kinds() -> list[str]:
    """Return the kinds of plugins that have a template."""
    return [kind for kind in KINDS if (_TEMPLATES / f"{kind}.py.txt").is_file()]


def write(kind: str, name: str, folder: Path) -> tuple[Path, Path]:
    """Write ``NAME.py`` and ``test_NAME.py`` to a folder and return their paths.

    Raises
    ------
    InputError
        The kind has no template, the name is invalid, the folder does not exist, or a file exists. Nothing was written.
    """
    files = dict(contents(kind, name, folder))
    if not folder.is_dir():
        raise InputError(f"--out: no folder {str(folder)!r}; create it first")
    for file in files:
        if file.exists():
            raise InputError(f"{file}: already exists; choose another name, or another folder with --out")
    for file, content in files.items():
        write_whole(file, content)
    plugin, test = files
    return plugin, test


def contents(kind: str, name: str, folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the content of the two files; errors as for `write`."""
    if kind not in kinds():
        raise InputError(
            f"no template for the kind {kind!r}{did_you_mean(kind, kinds())}; expected one of {', '.join(kinds())}"
        )
    camel = "".join(part.title() for part in name.split("_"))
    target = camel if KINDS[kind].stateful else name
    values = {"NAME": name, "CLASS": camel, "KIND": kind, "TARGET": target}
    files = {folder / f"{name}.py": f"{kind}.py.txt", folder / f"test_{name}.py": "test.py.txt"}
    _check_name(kind, name, target, files.values())
    for file, template in files.items():
        text = (_TEMPLATES / template).read_text(encoding="utf-8")
        yield file, re.sub(r"\b(NAME|CLASS|KIND|TARGET)\b", lambda word: values[word[0]], text).encode()


def _check_name(kind: str, name: str, target: str, templates: Iterable[str]) -> None:
    """Raise `InputError` if a name is not a Python name, or is used by Python, a template or another plugin."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name.startswith("test_") or keyword.iskeyword(name):
        raise InputError(
            f"got the name {name!r}, expected lower-case letters, digits and '_', starting with a letter, not with "
            "'test_', and no Python keyword"
        )
    modules, imported = _imports(templates)
    if keyword.iskeyword(target) or target in {*dir(builtins), *imported}:
        raise InputError(
            f"got the name {name!r}, but the new file already uses {target!r} for something else; choose another name"
        )
    if name in {*sys.stdlib_module_names, *modules}:
        raise InputError(f"got the name {name!r}, but {name}.py would hide a Python module; choose another name")
    for plugin in registry.load().all(kind):
        if plugin.name == name:
            raise InputError(f"got the name {name!r}, but {plugin} exists in {plugin.source}; choose another name")


def _imports(templates: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the top-level packages that templates import from, and the names that they import."""
    modules, names = set(), set()
    for template in templates:
        for node in ast.walk(ast.parse((_TEMPLATES / template).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name for alias in node.names}
                imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                modules |= {each.partition(".")[0] for each in imported}
    return modules, names
