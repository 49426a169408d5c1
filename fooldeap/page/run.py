"""The page of a run: its images, their evolution, charts, a table of results, and provenance."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import formatting
from fooldeap.configuration.stopping import clause_of
from fooldeap.formatting import goal_text, grouped
from fooldeap.page import sources
from fooldeap.page.neighbours import neighbours
from fooldeap.page.parts import Card, Chart, Film, ImageGroup, Line, Table, Thumb, name_of, percent
from fooldeap.page.rendering import render
from fooldeap.page.views import RunView, views
from fooldeap.plugin import Predictions
from fooldeap.results import FrontImage, Snapshot

MOST_CARDS = 60
MOST_LINES = 20
MOST_MEMBERS = 10  # images of a front
CARD_BYTES = FILM_BYTES = 2_000_000  # the largest size of all images, and of all frames, before compression
FEWEST_CARDS, FEWEST_FRAMES = 10, 6  # shown also if they are larger than that
POINTS = 2000  # the largest number of points of all curves of a chart
WIDE = 20  # the ratio of the largest to the smallest fitness from which the axis is logarithmic


def run_page(folder: Path, result: Mapping[str, Any]) -> str:
    """Return the page of a run as HTML.

    Parameters
    ----------
    folder : the run folder; it must contain ``config.yaml`` and ``environment.json``, other files may be missing
    result : the data of ``result.json``
    """
    runs = views(folder, result)
    provenance = sources.provenance(folder, "config.yaml")
    return render(
        "run.html",
        title=result["name"],
        result=result,
        lead=_lead(result, runs),
        tiles=_tiles(result, runs),
        cards=cards(runs, result, neighbours(provenance.configuration, runs[:MOST_CARDS])),
        fronts=fronts(runs),
        films=films(runs, result.get("names", ())),
        charts=charts(runs, result["goal"]),
        table=table(runs),
        failures=result.get("failures", {}),
        provenance=provenance,
    )


def cards(
    runs: Sequence[RunView], result: Mapping[str, Any], beside: Sequence[NDArray[np.uint8] | None] = ()
) -> list[Card]:
    """Return the images of the first runs; ``beside`` contains an image to compare with, or None, for each of them.

    There are at most `MOST_CARDS` images, and fewer if the images are large.
    """
    shown = [
        (run, other) for run, other in itertools.zip_longest(runs, beside) if run is not None and run.image is not None
    ]
    size = max((run.image.nbytes for run, _ in shown if run.image is not None), default=1)
    most = min(MOST_CARDS, max(FEWEST_CARDS, CARD_BYTES // size))
    return [_card(run, result, other) for run, other in shown[:most]]


def _card(run: RunView, result: Mapping[str, Any], beside: NDArray[np.uint8] | None) -> Card:
    row, goal, reached = run.data, result["goal"], run.data["evaluations_to_goal"]
    lines = [f"after {grouped(reached)} evaluations" if reached else f"{grouped(row['evaluations'])} evaluations"]
    if goal and not reached:
        lines.append(f"goal not reached: {clause_of(row['stopped'])}")
    return Card(
        title=f"target {run.title}",
        image=run.image,  # type: ignore[arg-type]
        seen=name_of(row["predicted"], result.get("names", ())),
        confidence=row["confidence"],
        lines=lines,
        good=(reached is not None) if goal else None,
        beside=None if beside is None else (beside, f"The nearest real {row['target']}"),
    )


def thumb(
    image: NDArray[np.uint8] | None, target: int, predicted: int, confidence: float, to_goal: int | None, spent: int
) -> Thumb:
    """Return the image of a run as a small image with caption; ``spent`` is the number of evaluations of the run."""
    cost = f"after {grouped(to_goal)}" if to_goal else f"not in {grouped(spent)}"
    seen = "" if predicted == target else f"seen as {predicted}, "
    return Thumb(str(target), image, percent(confidence), f"{seen}{cost}", good=to_goal is not None)


def fronts(runs: Sequence[RunView]) -> list[ImageGroup]:
    """Return images along the fronts of the first runs: at most `MOST_MEMBERS` per front, with its first and last."""
    kept = [run for run in runs if run.front][:MOST_LINES]
    return [ImageGroup(f"target {run.title}", [_member(run, each) for each in _spread(run.front)]) for run in kept]


def _spread(front: Sequence[FrontImage]) -> list[FrontImage]:
    indices = np.unique(np.linspace(0, len(front) - 1, MOST_MEMBERS).round().astype(int))
    return [front[index] for index in indices]


def _member(run: RunView, each: FrontImage) -> Thumb:
    target = run.data["target"]
    (probabilities,) = Predictions(each.logits[None], each.image[None], each.confidence_kind).probabilities
    objectives = ", ".join(f"{value:.3g}" for value in each.objectives)
    return Thumb(str(target), each.image, percent(probabilities[target]), objectives)


def films(runs: Sequence[RunView], names: Sequence[str] = ()) -> list[Film]:
    """Return a film of each of the first runs; ``names`` are the names of the classes."""
    kept = [run for run in runs if run.snapshots][:MOST_LINES]
    return thinned([film_of(run.title, run.data["target"], run.snapshots, names) for run in kept])


def thinned(films: Sequence[Film]) -> list[Film]:
    """Return the films with fewer frames, and if necessary only the first films, so that they fit in `FILM_BYTES`."""
    size = max((film.images[0].nbytes for film in films), default=1)
    kept = films[: max(1, FILM_BYTES // (FEWEST_FRAMES * size))]
    return [film.thinned(max(FEWEST_FRAMES, FILM_BYTES // (len(kept) * size))) for film in kept]


def film_of(title: str, target: int, taken: Sequence[Snapshot], names: Sequence[str] = ()) -> Film:
    """Return the snapshots of a run as a film; ``names`` are the names of the classes."""
    images = np.stack([each.image for each in taken])
    logits = np.stack([each.logits for each in taken])
    return Film(
        title=title,
        target=target,
        images=images,
        probabilities=Predictions(logits, images, taken[0].confidence_kind).probabilities,
        generations=[each.generation for each in taken],
        evaluations=[each.evaluations for each in taken],
        classes=names,
    )


def charts(runs: Sequence[RunView], goal: Mapping[str, float]) -> list[Chart]:
    """Return charts of the best confidence and of the best fitness of the first runs, over evaluations."""
    kept = [(run.title, run.curves) for run in runs if run.curves is not None][:MOST_LINES]
    if not kept:
        return []
    points = max(16, POINTS // len(kept))
    confidence = [_line(title, curves.evaluations, curves.confidence, points) for title, curves in kept]
    score = [_line(title, curves.evaluations, curves.score, points) for title, curves in kept]
    values = [value for line in score for value in line.y if np.isfinite(value)]
    wide = bool(values) and min(values) > 0 and max(values) > WIDE * min(values)
    level, x_label = goal.get("confidence"), "evaluations"
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
            goal=goal.get("score"),
            goal_label="goal",
        ),
    ]


def _line(label: str, x: Sequence[int], y: Sequence[float], most: int) -> Line:
    """Return the best value so far as a line of at most ``most`` points: those where it rises, and the last point."""
    best = np.fmax.accumulate(np.asarray(y, float))
    rises = np.flatnonzero(np.append(True, best[1:] > best[:-1]))
    kept = np.unique(
        np.append(rises[np.linspace(0, len(rises) - 1, min(most, len(rises))).round().astype(int)], len(x) - 1)
    )
    return Line(label, [int(x[index]) for index in kept], best[kept].tolist())


def table(runs: Sequence[RunView]) -> Table:
    """Return a table of the results of all runs."""
    header = [
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
    return Table(header, [[run.title, *_cells(run.data)] for run in runs])


def _cells(row: Mapping[str, Any]) -> list[str]:
    milestones = row.get("evaluations_to", {})
    counts = [*map(milestones.get, ("0.5", "0.9", "0.99")), row["evaluations_to_goal"]]
    return [
        str(row["predicted"]),
        percent(row["confidence"]),
        f"{row['score']:.5g}",
        *("–" if each is None else grouped(each) for each in counts),
        grouped(row["evaluations"]),
        str(row["stopped"]),
    ]


def _lead(result: Mapping[str, Any], runs: Sequence[RunView]) -> str:
    goal, reached = result["goal"], sum(run.data["evaluations_to_goal"] is not None for run in runs)
    if not goal:
        return f"{len(runs)} images were evolved without a goal."
    return f"{reached} of {len(runs)} images reached the goal for their target: {goal_text(goal)}."


def _tiles(result: Mapping[str, Any], runs: Sequence[RunView]) -> list[tuple[str, str]]:
    reached = [run.data["evaluations_to_goal"] for run in runs if run.data["evaluations_to_goal"] is not None]
    median = [("median to the goal", grouped(float(np.median(reached))))] if reached else []
    goal = [("reached", f"{len(reached)} of {len(runs)}")] if result["goal"] else []
    return [*goal, ("evaluations", grouped(result["evaluations"])), *median, ("seconds", f"{result['seconds']:.1f}")]
