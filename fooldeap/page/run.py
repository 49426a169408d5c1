"""The page of an experiment: its images, how they came about, curves, figures, and where they come from."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import numerals
from fooldeap.numerals import goal_text, grouped
from fooldeap.page import sources
from fooldeap.page.neighbours import neighbours
from fooldeap.page.parts import Card, Chart, Film, Group, Line, Table, Thumb, name_of, percent
from fooldeap.page.rendering import render
from fooldeap.page.views import RunView, views
from fooldeap.plugin import Predictions
from fooldeap.results import FrontImage, Snapshot

MOST_CARDS = 60
MOST_LINES = 20
MOST_MEMBERS = 10  # of a front
CARD_BYTES = FILM_BYTES = 2_000_000  # of all images, and of all frames, before they are packed
FEWEST_CARDS, FEWEST_FRAMES = 10, 6  # however large they are
POINTS = 2000  # of all curves of a chart together
WIDE = 20  # from the least to the largest fitness: a range that needs a logarithmic axis
_STOPPED = {
    "evaluations": "its budget of images was spent",
    "generations": "its generations were over",
    "seconds": "its time was over",
    "stagnation": "it no longer got better",
    "stalled": "it showed no new image",
    "finished": "the algorithm ended by itself",
}


def run_page(folder: Path, result: Mapping[str, Any]) -> str:
    """Return the page of an experiment.

    Parameters
    ----------
    folder : with its files; of these only ``config.yaml`` and ``environment.json`` must be there
    result : what ``result.json`` holds
    """
    runs = views(folder, result)
    made = sources.provenance(folder, "config.yaml")
    return render(
        "run.html",
        title=result["name"],
        result=result,
        lead=_lead(result, runs),
        tiles=_tiles(result, runs),
        cards=cards(runs, result, neighbours(made.configuration, runs[:MOST_CARDS])),
        fronts=fronts(runs),
        films=films(runs, result.get("names", ())),
        charts=charts(runs, result["goal"]),
        table=table(runs),
        failures=result.get("failures", {}),
        provenance=made,
    )


def cards(
    runs: Sequence[RunView], result: Mapping[str, Any], beside: Sequence[NDArray[np.uint8] | None] = ()
) -> list[Card]:
    """Return the images of runs, as many as a page can show, each perhaps with one beside it."""
    seen = [
        (run, other) for run, other in itertools.zip_longest(runs, beside) if run is not None and run.image is not None
    ]
    size = max((run.image.nbytes for run, _ in seen if run.image is not None), default=1)
    most = min(MOST_CARDS, max(FEWEST_CARDS, CARD_BYTES // size))
    return [_card(run, result, other) for run, other in seen[:most]]


def _card(run: RunView, result: Mapping[str, Any], beside: NDArray[np.uint8] | None) -> Card:
    row, goal, reached = run.data, result["goal"], run.data["evaluations_to_goal"]
    spent = f"{grouped(row['evaluations'])} images shown"
    lines = [f"after {grouped(reached)} images" if reached else spent]
    if goal and not reached:
        lines.append(f"goal not reached: {_STOPPED.get(row['stopped'], row['stopped'])}")
    return Card(
        title=f"target {run.title}",
        image=run.image,  # type: ignore[arg-type]
        seen=name_of(row["predicted"], result.get("names", ())),
        confidence=row["confidence"],
        lines=lines,
        good=(reached is not None) if goal else None,
        beside=None if beside is None else (beside, f"The real {row['target']} that is nearest to it"),
    )


def thumb(
    image: NDArray[np.uint8] | None, target: int, predicted: int, confidence: float, to_goal: int | None, spent: int
) -> Thumb:
    """Return the image of a run as a small one."""
    words = f"after {grouped(to_goal)}" if to_goal else f"not in {grouped(spent)}"
    seen = "" if predicted == target else f"seen as {predicted}, "
    return Thumb(str(target), image, percent(confidence), f"{seen}{words}", good=to_goal is not None)


def fronts(runs: Sequence[RunView]) -> list[Group]:
    """Return the images on the fronts of the first runs, some of each, its ends among them."""
    kept = [run for run in runs if run.front][:MOST_LINES]
    return [Group(f"target {run.title}", [_member(run, each) for each in _spread(run.front)]) for run in kept]


def _spread(front: Sequence[FrontImage]) -> list[FrontImage]:
    places = np.unique(np.linspace(0, len(front) - 1, MOST_MEMBERS).round().astype(int))
    return [front[place] for place in places]


def _member(run: RunView, each: FrontImage) -> Thumb:
    target = run.data["target"]
    (seen,) = Predictions(each.logits[None], each.image[None]).probabilities
    return Thumb(str(target), each.image, percent(seen[target]), ", ".join(f"{value:.3g}" for value in each.objectives))


def films(runs: Sequence[RunView], names: Sequence[str] = ()) -> list[Film]:
    """Return how the images of the first runs came about; ``names`` are those of the classes, if they have any."""
    kept = [run for run in runs if run.snapshots][:MOST_LINES]
    return thinned([film_of(run.title, run.data["target"], run.snapshots, names) for run in kept])


def thinned(films: Sequence[Film]) -> list[Film]:
    """Return films, or the first of them, in as many frames as a page can hold of all together."""
    size = max((film.images[0].nbytes for film in films), default=1)
    kept = films[: max(1, FILM_BYTES // (FEWEST_FRAMES * size))]
    return [film.thinned(max(FEWEST_FRAMES, FILM_BYTES // (len(kept) * size))) for film in kept]


def film_of(title: str, target: int, taken: Sequence[Snapshot], names: Sequence[str] = ()) -> Film:
    """Return snapshots of one run as a film."""
    images = np.stack([each.image for each in taken])
    logits = np.stack([each.logits for each in taken])
    return Film(
        title=title,
        target=target,
        images=images,
        probabilities=Predictions(logits, images).probabilities,
        generations=[each.generation for each in taken],
        evaluations=[each.evaluations for each in taken],
        classes=names,
    )


def charts(runs: Sequence[RunView], goal: Mapping[str, float]) -> list[Chart]:
    """Return how confidence and fitness grew, of the first runs."""
    kept = [(run.title, run.curves) for run in runs if run.curves is not None][:MOST_LINES]
    if not kept:
        return []
    points = max(16, POINTS // len(kept))
    confidence = [_line(title, curves.evaluations, curves.confidence, points) for title, curves in kept]
    score = [_line(title, curves.evaluations, curves.score, points) for title, curves in kept]
    values = [value for line in score for value in line.y if np.isfinite(value)]
    wide = bool(values) and min(values) > 0 and max(values) > WIDE * min(values)
    level, x_label = goal.get("confidence"), "images shown to the classifier"
    return [
        Chart(
            "Confidence in the target",
            x_label,
            "confidence",
            confidence,
            low=0,
            high=1.02,
            goal=level,
            goal_label="" if level is None else f"goal {numerals.level(level)}",
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
    """Return the best until each place as a line of at most so many points: where it rose, and its end."""
    best = np.fmax.accumulate(np.asarray(y, float))
    rises = np.flatnonzero(np.append(True, best[1:] > best[:-1]))
    kept = np.unique(
        np.append(rises[np.linspace(0, len(rises) - 1, min(most, len(rises))).round().astype(int)], len(x) - 1)
    )
    return Line(label, [int(x[index]) for index in kept], best[kept].tolist())


def table(runs: Sequence[RunView]) -> Table:
    """Return all runs in figures."""
    header = [
        "target",
        "predicted",
        "confidence",
        "score",
        "to 50 %",
        "to 90 %",
        "to 99 %",
        "to the goal",
        "shown",
        "stopped by",
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
        return f"{len(runs)} images evolved, without a goal."
    return f"{reached} of {len(runs)} images reached {goal_text(goal)} in what they were evolved for."


def _tiles(result: Mapping[str, Any], runs: Sequence[RunView]) -> list[tuple[str, str]]:
    reached = [run.data["evaluations_to_goal"] for run in runs if run.data["evaluations_to_goal"] is not None]
    median = [("median to the goal", grouped(float(np.median(reached))))] if reached else []
    goal = [("reached", f"{len(reached)} of {len(runs)}")] if result["goal"] else []
    return [*goal, ("images shown", grouped(result["evaluations"])), *median, ("seconds", f"{result['seconds']:.1f}")]
