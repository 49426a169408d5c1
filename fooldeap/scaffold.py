"""Files to begin a plugin with: one that works, commented, and its test."""

import keyword
import re
from importlib import resources
from pathlib import Path

from fooldeap.errors import InputError, did_you_mean
from fooldeap.files import write_whole
from fooldeap.plugin import KINDS

_TEMPLATES = resources.files("fooldeap.data") / "templates"


def kinds() -> list[str]:
    """Return the kinds of plugins that there is a beginning for."""
    return [kind for kind in KINDS if (_TEMPLATES / f"{kind}.py.txt").is_file()]


def write(kind: str, name: str, folder: Path) -> tuple[Path, Path]:
    """Write ``NAME.py`` and ``test_NAME.py`` to a folder, and return them. Nothing is overwritten."""
    if kind not in kinds():
        raise InputError(
            f"no beginning for a {kind!r}{did_you_mean(kind, kinds())}; there is one for {', '.join(kinds())}"
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"got the name {name!r}, expected one that Python can import: small letters, digits and '_'")
    camel = "".join(part.title() for part in name.split("_"))
    target = camel if KINDS[kind].stateful else name
    names = {"NAME": name, "CLASS": camel, "KIND": kind, "TARGET": target}
    files = {folder / f"{name}.py": f"{kind}.py.txt", folder / f"test_{name}.py": "test.py.txt"}
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r} to write to; make it first")
    for file in files:
        if file.exists():
            raise InputError(f"{file} exists already; choose another name, or another folder with --out")
    for file, template in files.items():
        text = (_TEMPLATES / template).read_text(encoding="utf-8")
        filled = re.sub(r"\b(NAME|CLASS|KIND|TARGET)\b", lambda word: names[word[0]], text)
        write_whole(file, filled.encode())
    plugin, test = files
    return plugin, test
