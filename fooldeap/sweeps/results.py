"""The results of a sweep, one row for each combination, as CSV, Markdown and a report."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fooldeap.formatting import as_csv, counted, grouped
from fooldeap.report.model import (
    HTML,
    MARKDOWN,
    TERMINAL,
    Gallery,
    ImageGroup,
    Report,
    Section,
    Table,
    Text,
    goal_text,
    percent,
    thumb,
)
from fooldeap.storage.inputs import read_json
from fooldeap.sweeps.definition import Sweep

MOST_IMAGES = 500  # on the page


class Row(NamedTuple):
    """The result of a combination. A median of evaluations is None if half of the runs or more missed the goal."""

    folder: str
    values: dict[str, str]
    runs: int
    reached: int
    evaluations_to_goal: float | None
    confidence: float
    score: float
    evaluations: int

    def data(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return self._asdict()


def read_row(folder: Path, label: str, values: Mapping[str, str]) -> tuple[Row, dict[str, Any]]:
    """Return the row of a finished combination, and the content of its ``result.json``."""
    result = read_json(folder / label / "result.json")
    runs = result["runs"]
    to_goal = [math.inf if run["evaluations_to_goal"] is None else run["evaluations_to_goal"] for run in runs]
    median = statistics.median(to_goal) if runs else math.inf
    row = Row(
        folder=label,
        values=dict(values),
        runs=len(runs),
        reached=sum(math.isfinite(each) for each in to_goal),
        evaluations_to_goal=median if math.isfinite(median) else None,
        confidence=statistics.median([run["confidence"] for run in runs]) if runs else 0.0,
        score=statistics.median([run["score"] for run in runs]) if runs else 0.0,
        evaluations=result["evaluations"],
    )
    return row, result


def best_of(rows: Sequence[Row]) -> Row:
    """Return the best row: more runs that reached the goal, then fewer evaluations to it, then more confidence."""
    return max(rows, key=lambda row: (row.reached, -(row.evaluations_to_goal or math.inf), row.confidence))


def csv(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return the rows as CSV."""
    names = [name for name in Row._fields if name != "values"]
    keys = list(sweep.combinations[0].values)
    content = [[*row.values.values(), *(getattr(row, name) for name in names)] for row in rows]
    return as_csv([[*keys, *names], *content])


def build_report(sweep: Sweep, rows: Sequence[Row], results: Sequence[Mapping[str, Any]]) -> Report:
    """Return the report."""
    goal = sweep.experiments[0].stop.goal
    best = best_of(rows)
    chosen = ", ".join(f"{key}={value}" for key, value in best.values.items())
    reached = f"{best.reached} of {best.runs} reached {goal_text(goal)}, " if goal else ""
    lead = (
        f"Best of {counted(len(rows), 'combination')}: {chosen}: {reached}median confidence {percent(best.confidence)}."
    )
    header = [
        *best.values,
        *(["reached the goal", "median evaluations to the goal"] if goal else []),
        "median confidence",
        "median score",
        "evaluations",
    ]
    table = Table(header, [_cells(row, goal=bool(goal)) for row in rows], left=len(best.values))
    return Report(
        sweep.name,
        lead,
        facts=[("combinations", grouped(len(rows))), ("evaluations", grouped(sum(row.evaluations for row in rows)))],
        sections=[
            Section("Results table", [Text(_ABOUT), table], (MARKDOWN, HTML)),
            Section("Results", [table], (TERMINAL,)),
            Section("Images", _images(rows, results), (HTML,)),
        ],
    )


_ABOUT = (
    "One row for each combination. Medians are over the targets and seeds of a combination; a run that missed the goal "
    "counts as infinitely many evaluations. The table does not say which differences are due to chance; to test them, "
    "compare the best combinations in a study with new seeds."
)


def _cells(row: Row, *, goal: bool) -> list[str]:
    to_goal = math.inf if row.evaluations_to_goal is None else row.evaluations_to_goal
    return [
        *row.values.values(),
        *([f"{row.reached} of {row.runs}", grouped(to_goal)] if goal else []),
        percent(row.confidence),
        f"{row.score:.4g}",
        grouped(row.evaluations),
    ]


def _images(rows: Sequence[Row], results: Sequence[Mapping[str, Any]]) -> list[Gallery | Text]:
    count = sum(row.runs for row in rows)
    if count > MOST_IMAGES:
        return [Text(f"The {count:,} images are not shown here; see the page of each combination in its folder.")]
    groups = [
        ImageGroup(
            ", ".join(f"{key}={value}" for key, value in row.values.items()),
            [thumb(f"{row.folder}/{run['image']}", run, result.get("names", ())) for run in result["runs"]],
        )
        for row, result in zip(rows, results, strict=True)
    ]
    return [Gallery(groups)]
