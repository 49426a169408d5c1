"""The report of a run: its images, their evolution, charts and a table of results. It is a page only."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fooldeap import formatting
from fooldeap.configuration.stopping import REASONS
from fooldeap.engine import snapshots
from fooldeap.formatting import class_label, grouped
from fooldeap.plugin import Array, Predictions
from fooldeap.report import many_targets
from fooldeap.report.common import complete
from fooldeap.report.html import write_page
from fooldeap.report.model import (
    Block,
    Card,
    Cards,
    Chart,
    Charts,
    Film,
    Films,
    Gallery,
    ImageGroup,
    Items,
    Line,
    Report,
    Section,
    Table,
    Text,
    Thumb,
    goal_text,
    is_good,
    name_of,
    percent,
)
from fooldeap.report.nearest import nearest_digits
from fooldeap.report.pictures import picture, probabilities_of, small_picture, thinned
from fooldeap.results import FrontImage, KeptImage, Result, RunResult, column_of
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.inputs import read

MOST_CARDS = 60
MOST_LINES = 20
MOST_MEMBERS = 10  # images of a front, and kept images of a run
CARD_BYTES = 2_000_000  # the largest size of all images, before compression
FRONT_BYTES = 6_000_000  # the largest size of all images of fronts, before compression and reduction
FEWEST_CARDS = 10  # shown also if they are larger than that
POINTS = 2000  # the largest number of points of all curves of a chart
WIDE = 20  # the ratio of the largest to the smallest fitness from which the axis is logarithmic


def write(folder: RunFolder, result: Result) -> None:
    """Write the page of a finished run to its folder."""
    with folder.locked():
        write_page(folder, lambda: run_report(folder.path, result))


def run_report(folder: Path, result: Result) -> Report:
    """Return the report of a run. The folder must contain ``config.yaml`` and ``environment.json``."""
    failures = [f"{run}: {reason}" for run, reason in result.failures.items()]
    chosen = replace(result, runs=tuple(result.best(len(result)))) if result.has_many_targets else result
    front, curves = fronts(chosen), charts(chosen)
    places = {(run.seed, run.target): place for place, run in enumerate(result)}
    films = [
        Film(title, run.target, snapshots.FILE, places[run.seed, run.target], len(result), result.names)
        for title, run in _first(chosen, lambda run: run.snapshots)
    ]
    cut = _about_choice(chosen, MOST_LINES, f"At most {MOST_LINES}")
    folded = f"All {len(result)} images" if result.has_many_targets else ""
    rows = [[title, *_cells(result, run)] for title, run in zip(_titles(result, class_label), result, strict=True)]
    report = Report(
        title=result.name,
        lead=_lead(result),
        facts=_facts(result),
        sections=[
            Section("Failed runs", [Items(failures, warning=True)] if failures else []),
            *_images(folder, result),
            Section("Fronts", [Text(_about_fronts(result)), *cut, Gallery(front)] if front else []),
            *_kept(chosen),
            Section("Evolution", [Text(_ABOUT_FILMS), *cut, Films(films)] if films else []),
            Section("Growth", [*cut, Charts(curves)] if curves else []),
            Section("Results table", [Text(_ABOUT_TABLE), Table(_HEADER, rows, title=folded)]),
        ],
    )
    return complete(report, folder, "config.yaml")


_ABOUT_TABLE = (
    "The columns to … give the number of evaluations until the first image with that confidence, or until the goal. An "
    "evaluation is a new image that the classifier answers."
)


def _images(folder: Path, result: Result) -> list[Section]:
    if result.has_many_targets:
        return [
            Section("Summary", many_targets.summary(result)),
            Section("Images", many_targets.catalogue(result)),
        ]
    beside = nearest_digits(read(folder / "config.yaml").decode(errors="replace"), result.runs[:MOST_CARDS])
    shown = cards(result, beside)
    blocks: list[Block] = _about_choice(result, len(shown), f"{len(shown)}")
    if any(card.beside for card in shown):
        blocks.append(Text("The small picture below each image is the nearest real image of its target class."))
    return [Section("Images", [*blocks, Cards(shown)] if shown else [])]


def _about_choice(result: Result, most: int, number: str) -> list[Block]:
    """Say which images are shown, if not all are."""
    which = "those with the highest confidence" if result.has_many_targets else "the first ones"
    text = (
        f"{number} of the {len(result)} images are shown: {which}. The results table lists all images, and the folder "
        "images has their files."
    )
    return [Text(text)] if len(result) > most else []


_ABOUT_FILMS = (
    "The best image after generations 0, 1, 2, 3, 4, 6, 8, 11, 16, … and after the last one. The bars show the "
    "classifier's probability of each class."
)


def _about_fronts(result: Result) -> str:
    return (
        "Images along the Pareto front of each target. No evaluated image is better than one of them in all "
        "objectives. Below each image: the confidence in the target, and the values of "
        f"{' and '.join(map(str, result.objectives))}; larger is better."
    )


def _titles(result: Result, label: Callable[[int, Sequence[str]], str] = name_of) -> list[str]:
    """Return the title of each run: its target, and its seed if there are several."""
    several = len({run.seed for run in result}) > 1
    return [label(run.target, result.names) + (f", seed {run.seed}" if several else "") for run in result]


def _first(result: Result, wanted: Callable[[RunResult], object]) -> list[tuple[str, RunResult]]:
    """Return the first runs for which a function is true, with their titles. Later runs are not looked at."""
    runs = ((title, run) for title, run in zip(_titles(result), result, strict=True) if wanted(run))
    return list(itertools.islice(runs, MOST_LINES))


def cards(result: Result, beside: Sequence[NDArray[np.uint8] | None]) -> list[Card]:
    """Return the images of the first runs; ``beside`` contains an image to compare with, or None, for each of them.

    There are at most `MOST_CARDS` images, and fewer if the images are large.
    """
    size = max((run.image.pixels.nbytes for run in result), default=1)
    most = min(MOST_CARDS, max(FEWEST_CARDS, CARD_BYTES // size))
    shown = zip(_titles(result)[:most], result.runs[:most], beside[:most], strict=True)
    return [_card(title, run, result, other) for title, run, other in shown]


def _card(title: str, run: RunResult, result: Result, beside: NDArray[np.uint8] | None) -> Card:
    reached = run.evaluations_to_goal
    lines = [f"after {grouped(reached)} evaluations" if reached else f"{grouped(run.evaluations)} evaluations"]
    if result.goal and not reached:
        clause = next((reason.clause for reason in REASONS if reason.name == run.stopped), run.stopped)
        lines.append(f"goal not reached: {clause}")
    agrees = run.predicted == run.target
    if not agrees:
        lines.insert(0, f"{percent(run.confidence)} for the target")
    return Card(
        title=f"target {title}",
        image=picture(run.image.pixels),
        seen=name_of(run.predicted, result.names),
        confidence=run.confidence if agrees else None,
        lines=lines,
        good=is_good(run.target, run.predicted, reached=run.reached, has_goal=bool(result.goal)),
        beside=None if beside is None else (picture(beside), f"The nearest real {run.target}"),
    )


def _kept(result: Result) -> list[Section]:
    """Return the best distinct images of the first runs."""
    found = _first(result, lambda run: run.kept)
    groups = [
        ImageGroup(f"target {title}", [_kept_thumb(run, each) for each in run.kept[:MOST_MEMBERS]])
        for title, run in found
    ]
    about = (
        "The best distinct images of each target, the best one first. Below each image: its confidence and its score."
    )
    return [Section("Kept images", [Text(about), Gallery(groups)])] if groups else []


def _kept_thumb(run: RunResult, each: KeptImage) -> Thumb:
    return Thumb("", small_picture(each.image.pixels), percent(each.confidence), f"{each.score:.4g}")


def fronts(result: Result) -> list[ImageGroup]:
    """Return images along the fronts of the first runs: at most `MOST_MEMBERS` per front, with its first and last."""
    kept = _first(result, lambda run: run.front)
    largest = max((run.front[0].image.nbytes for _, run in kept), default=1)
    most = min(MOST_MEMBERS, max(2, FRONT_BYTES // (max(1, len(kept)) * largest)))
    return [
        ImageGroup(f"target {title}", [_member(result, run, each) for each in thinned(run.front, most)])
        for title, run in kept
    ]


def _member(result: Result, run: RunResult, each: FrontImage) -> Thumb:
    (probabilities,) = Predictions(each.logits[None], each.image[None], each.confidence_kind).probabilities
    objectives = ", ".join(f"{value:.3g}" for value in each.objectives)
    title = name_of(run.target, result.names)
    return Thumb(title, small_picture(each.image), percent(probabilities[run.target]), objectives)


def charts(result: Result) -> list[Chart]:
    """Return charts of the best confidence and of the best fitness of the first runs, over evaluations."""
    curves = [(title, *_curves(run)) for title, run in _first(result, lambda run: run.log or run.snapshots)]
    if not curves:
        return []
    points = max(16, POINTS // len(curves))
    confidence = [_line(title, evaluations, values, points) for title, evaluations, values, _ in curves]
    score = [_line(title, evaluations, values, points) for title, evaluations, _, values in curves]
    values = [value for line in score for value in line.y if np.isfinite(value)]
    wide = bool(values) and min(values) > 0 and max(values) > WIDE * min(values)
    level, x_label = result.goal.get("confidence"), "evaluations"
    return [
        Chart(
            "Confidence in the target",
            x_label,
            "confidence",
            confidence,
            low=0,
            high=1.02,
            goal=level,
            goal_label="" if level is None else f"goal {formatting.level(level)}",
            percent=True,
        ),
        Chart(
            "Fitness of the best image",
            x_label,
            "fitness",
            score,
            log_y=wide,
            goal=result.goal.get("score"),
            goal_label="goal",
        ),
    ]


def _curves(run: RunResult) -> tuple[Array, Array, Array]:
    """Return the evaluations, the confidence and the best fitness after each generation, or after each snapshot."""
    if run.log:
        return column_of(run.log, "evaluations"), column_of(run.log, "confidence"), column_of(run.log, "best")
    evaluations = np.array([each.evaluations for each in run.snapshots])
    confidence = probabilities_of(run.snapshots)[:, run.target]
    return evaluations, confidence, np.array([each.score for each in run.snapshots])


def _line(label: str, x: Array, y: Array, most: int) -> Line:
    """Return the best value so far as a line of at most ``most`` points: those where it rises, and the last point."""
    best = np.fmax.accumulate(np.asarray(y, float))
    rises = np.flatnonzero(np.append(True, best[1:] > best[:-1])).tolist()
    kept = np.unique([*thinned(rises, most), len(x) - 1])
    return Line(label, x[kept].tolist(), best[kept].tolist())


_HEADER = [
    "target",
    "predicted",
    "confidence",
    "score",
    "to 50 %",
    "to 90 %",
    "to 99 %",
    "to the goal",
    "evaluations",
    "stopped",
]


def _cells(result: Result, run: RunResult) -> list[str]:
    counts = [*map(run.evaluations_to.get, ("0.5", "0.9", "0.99")), run.evaluations_to_goal]
    return [
        class_label(run.predicted, result.names),
        percent(run.confidence),
        f"{run.score:.5g}",
        *("–" if each is None else grouped(each) for each in counts),
        grouped(run.evaluations),
        run.stopped,
    ]


def _lead(result: Result) -> str:
    if not result.goal:
        return f"{len(result)} images were evolved without a goal."
    reached = sum(run.reached for run in result)
    return f"{reached} of {len(result)} images reached the goal for their target: {goal_text(result.goal)}."


def _facts(result: Result) -> list[tuple[str, str]]:
    reached = [run.evaluations_to_goal for run in result if run.evaluations_to_goal is not None]
    median = [("median to the goal", grouped(float(np.median(reached))))] if reached else []
    goal = [("reached", f"{len(reached)} of {len(result)}")] if result.goal else []
    many = [*result.summary().items()] if result.has_many_targets else []
    return [*goal, *many, ("evaluations", grouped(result.evaluations)), *median, ("seconds", f"{result.seconds:.1f}")]
