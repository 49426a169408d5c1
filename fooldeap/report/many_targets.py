"""The sections of a run with many targets: a summary of all confidences, and a catalogue of all images."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fooldeap.formatting import class_label, grouped, level
from fooldeap.report.model import (
    Block,
    Catalogue,
    Chart,
    Charts,
    Entry,
    Gallery,
    Histogram,
    ImageGroup,
    Line,
    Text,
    Thumb,
    is_good,
    name_of,
    percent,
)
from fooldeap.results import BEST, LEVELS, Result, RunResult

CATALOGUE = (
    "You can search for a class by its number or by a part of its name. The images are reduced if they are large. Each "
    "one links to its file; the link works while the page is in its folder."
)
EDGES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999)  # between the groups of the histogram


def summary(result: Result) -> list[Block]:
    """Return how the confidences are distributed, how they grew, and the best and worst images."""
    ranked = result.best(len(result))
    groups = {"Highest confidence": ranked[:BEST], "Lowest confidence": ranked[: -BEST - 1 : -1]}
    return [
        histogram([run.confidence for run in result]),
        Charts([_classes_reached(result)]),
        Gallery([ImageGroup(title, [_thumb(result, run) for run in runs]) for title, runs in groups.items()]),
    ]


def histogram(confidences: Sequence[float], things: str = "images") -> Histogram:
    """Return the number of images, or of other things, in each range of confidence."""
    places = np.searchsorted(EDGES, confidences, side="right")
    counts = np.bincount(places, minlength=len(EDGES) + 1).tolist()
    middle = (f"{level(low)} to {level(high)}" for low, high in pairwise(EDGES))
    labels = [f"less than {level(EDGES[0])}", *middle, f"at least {level(EDGES[-1])}"]
    return Histogram(("confidence", things), list(zip(labels, counts, strict=True)))


def catalogue(result: Result) -> list[Block]:
    """Return all images as a catalogue."""
    show_seed = len({run.seed for run in result}) > 1
    runs = sorted(result, key=lambda run: (run.target, run.seed))
    return [Text(f"All images. {CATALOGUE}"), Catalogue([_entry(result, run, show_seed=show_seed) for run in runs])]


def _entry(result: Result, run: RunResult, *, show_seed: bool) -> Entry:
    reached = run.evaluations_to_goal
    cost = f"after {grouped(reached)}" if reached else f"not in {grouped(run.evaluations)}"
    seeds = [f"seed {run.seed}"] if show_seed else []
    return Entry(
        number=run.target,
        name=name_of(run.target, result.names) if run.target < len(result.names) else "",
        image=result.image_name(run),
        confidence=run.confidence,
        seen="" if run.predicted == run.target else name_of(run.predicted, result.names),
        lines=[*seeds, *([cost] if result.goal else [])],
        cost=reached,
        good=is_good(run.target, run.predicted, reached=run.reached, has_goal=bool(result.goal)),
    )


def _thumb(result: Result, run: RunResult) -> Thumb:
    return Thumb(
        class_label(run.target, result.names),
        result.image_name(run),
        percent(run.confidence),
        "" if run.predicted == run.target else f"seen as {name_of(run.predicted, result.names)}",
        is_good(run.target, run.predicted, reached=run.reached, has_goal=bool(result.goal)),
    )


def _classes_reached(result: Result) -> Chart:
    """Return the number of classes that have reached each level over the evaluations of their runs."""
    end = max(run.evaluations for run in result)
    return Chart(
        title="Classes reached",
        x_label="evaluations of a run",
        y_label="classes",
        lines=[Line(level(each), *_steps(_first_evaluations(result, each), end)) for each in LEVELS],
    )


def _first_evaluations(result: Result, at: float) -> list[int]:
    """Return the evaluations until each class that reached a confidence reached it, with the first seed that did."""
    first: dict[int, int] = {}
    for run in result:
        if run.confidence >= at:
            first[run.target] = min(evaluations_to(run, at, result.goal), first.get(run.target, run.evaluations))
    return list(first.values())


def evaluations_to(run: RunResult, at: float, goal: dict[str, float]) -> int:
    """Return the evaluations until a run reached a confidence that its image has.

    If the result does not have the number, it is the number at the end of the generation, or at the end of the run.
    """
    count = run.evaluations_to.get(str(at))
    if count is None and goal == {"confidence": at}:
        count = run.evaluations_to_goal
    if count is None:
        count = next((row.evaluations for row in run.log if row.confidence >= at), run.evaluations)
    return count


def _steps(counts: Sequence[int], end: int) -> tuple[list[float], list[float]]:
    """Return x and y of a step function from 1 to ``end``: how many of the counts are at most x."""
    x, totals = np.unique(np.array(counts, float), return_counts=True)
    last = max(float(end), *x.tolist(), -math.inf)
    return [1.0, *x.tolist(), last], [0.0, *np.cumsum(totals).astype(float).tolist(), float(len(counts))]
