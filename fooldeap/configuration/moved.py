"""Finds files of a configuration again after its folder was moved together with them.

A configuration has absolute paths, so that it is valid in any folder. If such a path does not exist, the same path
relative to the folder is tried. The folder's original path is in ``environment.json``.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from fooldeap.configuration.document import Document
from fooldeap.errors import FileError
from fooldeap.storage.inputs import read_json

ENVIRONMENT, MADE_AT = "environment.json", "folder"


def found_again(document: Document, folder: Path) -> Document:
    """Return the document of a folder with its current paths."""
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
