"""Reads the result of a finished run from its folder. No plugin or classifier is loaded."""

import math
from pathlib import Path
from typing import Any

from fooldeap.errors import FooldeapError, InputError
from fooldeap.page import sources
from fooldeap.page.views import RunView, views
from fooldeap.results import FoolingImage, LogRow, Result, RunResult
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.inputs import read_json


def load(folder: str | Path) -> Result:
    """Return the result of a finished run, equal to the one that `fooldeap.run` returned.

    Raises
    ------
    InputError
        The folder is not the folder of a run, is not finished, or one of its files was changed.
    """
    opened = RunFolder.open_finished(Path(folder))
    for problem in problems_in(opened.path):
        raise InputError(f"{opened.path}: {problem}; restore it from a copy")
    try:
        return _loaded(opened)
    except FooldeapError:
        raise
    except Exception as error:  # damaged files can cause any error
        raise InputError(f"{opened.path}: is damaged ({type(error).__name__}: {error})") from None


def _loaded(folder: RunFolder) -> Result:
    data = read_json(folder.path / RunFolder.LAST)
    log = _log(folder.path / "log.csv")
    return Result(
        name=data["name"],
        seed=data["seed"],
        goal=data["goal"],
        evaluations=data["evaluations"],
        seconds=data["seconds"],
        runs=tuple(_run(view, log) for view in views(folder.path, data, logs=False, most=math.inf)),
        folder=folder.path,
        failures=data.get("failures", {}),
        names=tuple(data.get("names", ())),
        objectives=tuple(data.get("objectives", ())),
    )


def _run(view: RunView, log: dict[tuple[int, int], list[LogRow]]) -> RunResult:
    if view.image is None:
        raise InputError(f"{view.data['image']}: is not there, the image of target {view.data['target']}")
    scalars: dict[str, Any] = {name: value for name, value in view.data.items() if name != "image"}
    return RunResult(
        **scalars,
        image=FoolingImage(view.image),
        log=tuple(log.get((scalars["seed"], scalars["target"]), ())),
        snapshots=tuple(view.snapshots),
        front=tuple(view.front),
    )


def _log(path: Path) -> dict[tuple[int, int], list[LogRow]]:
    """Return the rows of ``log.csv`` by seed and target."""
    found: dict[tuple[int, int], list[LogRow]] = {}
    for row in LogRow.from_csv(sources.rows(path)):
        found.setdefault((row.seed, row.target), []).append(row)
    return found
