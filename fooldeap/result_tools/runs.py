"""The command ``fooldeap runs``: the folders that fooldeap has written, with their outcome."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from fooldeap.cli.options import print_line
from fooldeap.errors import FileError, InputError
from fooldeap.result_tools.kinds import FolderKind, kinds
from fooldeap.runs.folder import State
from fooldeap.storage.lock import is_in_use

ENVIRONMENT = "environment.json"  # every folder has it; files such as config.yaml are common elsewhere


class Entry(NamedTuple):
    """One line of the list.

    Attributes
    ----------
    path : the folder
    changed : when its configuration or its result was last written
    kind : such as "run" or "study"
    state : "finished", "unfinished" or "running"
    outcome : the main result of a finished folder, or the command that resumes an unfinished one
    """

    path: Path
    changed: datetime
    kind: str
    state: str
    outcome: str


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Search this folder and all folders below it.")] = Path(
        "runs"
    ),
) -> None:
    """List the folders that fooldeap has written, with their outcome."""
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}; name a folder that contains runs")
    entries = sorted(listed(folder), key=lambda entry: entry.changed)
    if not entries:
        print_line(f"{folder}: contains no run, study, retraining, audit or tuning")
        return
    rows = [(str(each.path), f"{each.changed:%Y-%m-%d %H:%M}", each.kind, each.state, each.outcome) for each in entries]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def listed(folder: Path) -> Iterator[Entry]:
    """Yield an entry for each folder. What is inside of such a folder, such as an attack of an audit, is left out."""
    known = kinds()
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        found = next((each for each in known if {each[1].folder.FILE, ENVIRONMENT} <= set(names)), None)
        if found is not None:
            below.clear()
            yield _entry(Path(place), *found)


def _entry(path: Path, name: str, kind: FolderKind) -> Entry:
    opened = kind.folder(path)
    finished = opened.state is State.FINISHED
    changed = datetime.fromtimestamp((path / opened.LAST if finished else opened.config).stat().st_mtime)
    if is_in_use(path):
        return Entry(path, changed, name, "running", "")
    if not finished:
        return Entry(path, changed, name, "unfinished", f"resume it: {opened.MADE_BY} --resume {path}")
    try:
        outcome = kind.outcome(path)
    except ImportError:  # the package that reads it was removed
        outcome = ""
    except (InputError, FileError, ValueError, KeyError, TypeError, AttributeError):
        outcome = f"{opened.LAST} is damaged; restore it from a copy"
    return Entry(path, changed, name, "finished", outcome)
