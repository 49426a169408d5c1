"""The page of a study: what it concludes, the images of each variant, curves, and the whole of its report."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooldeap.engine import snapshots
from fooldeap.numerals import goal_text, grouped
from fooldeap.page import sources
from fooldeap.page.markdown import parts
from fooldeap.page.parts import Chart, Film, Group, Line, Thumb
from fooldeap.page.rendering import render
from fooldeap.page.run import film_of, thinned, thumb
from fooldeap.storage.inputs import read, read_json

MOST_VARIANTS = 24
MOST_TARGETS = 20
Row = Mapping[str, str]


def study_page(folder: Path) -> str:
    """Return the page of a finished study."""
    summary = read_json(folder / "summary.json")
    study = summary["study"]
    ranked = sorted(summary["variants"], key=lambda name: (summary["variants"][name]["mean_rank"], name))
    rows = sources.rows(folder / "runs.csv")
    first = [row for row in rows if row["seed"] == str(min(study["seeds"], default=0))]
    report = parts(folder, "report.md")
    conclusions = [part for part in report if part.title.startswith("Conclusions") or part.title == "Caveats"]
    return render(
        "study.html",
        title=study["name"],
        lead=_lead(study),
        tiles=_tiles(study, rows),
        conclusions=sorted(conclusions, key=lambda part: part.title == "Caveats"),
        groups=_gallery(folder, ranked[:MOST_VARIANTS], first),
        left_out=max(0, len(ranked) - MOST_VARIANTS),
        seed=first[0]["seed"] if first else "",
        films=_films(folder, ranked[:MOST_VARIANTS], first),
        charts=_charts(ranked[:MOST_VARIANTS], rows, sources.rows(folder / "curves.csv"), study["budget"]),
        report=[part for part in report if part not in conclusions],
        provenance=sources.provenance(folder, "study.yaml"),
    )


def _lead(study: Mapping[str, Any]) -> str:
    count = len(study["variants"])
    return (
        f"{count} {'variant' if count == 1 else 'variants'} compared: how many images each shows {study['classifier']} "
        f"until it reaches {goal_text(study['goal'])}."
    )


def _tiles(study: Mapping[str, Any], rows: Sequence[Row]) -> list[tuple[str, str]]:
    reached = sum(bool(row["evaluations_to_goal"]) for row in rows)
    return [
        ("variants", str(len(study["variants"]))),
        ("targets", str(len(study["targets"]))),
        ("seeds", str(len(study["seeds"]))),
        ("reached", f"{grouped(reached)} of {grouped(len(rows))}"),
        ("budget a target", grouped(study["budget"])),
    ]


def _gallery(folder: Path, variants: Sequence[str], rows: Sequence[Row]) -> list[Group]:
    by_variant = defaultdict(list)
    for row in rows:
        by_variant[row["variant"]].append(row)
    images = sources.Images(folder)
    return [Group(name, [_thumb(images, row) for row in by_variant[name][:MOST_TARGETS]]) for name in variants]


def _thumb(images: sources.Images, row: Row) -> Thumb:
    image = images.get(f"variants/{row['variant']}/images/seed-{row['seed']}/{row['target']}.png")
    reached = int(row["evaluations_to_goal"]) if row["evaluations_to_goal"] else None
    figures = int(row["target"]), int(row["predicted"]), float(row["confidence"]), reached, int(row["evaluations"])
    return thumb(image, *figures)


def _films(folder: Path, variants: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, list[Film]]]:
    """Return the films of each target, of all variants side by side."""
    kept = sorted({int(row["target"]) for row in rows})[:MOST_TARGETS]
    every = [
        film
        for target in kept
        for name in variants
        for row in rows
        if row["variant"] == name and row["target"] == str(target) and (film := _film(folder, row)) is not None
    ]
    films = [(f"Target {target}", [film for film in thinned(every) if film.target == target]) for target in kept]
    return [(title, found) for title, found in films if found]


def _film(folder: Path, row: Row) -> Film | None:
    path = folder / f"variants/{row['variant']}/snapshots/seed-{row['seed']}/{row['target']}.npz"
    (taken,) = snapshots.unpacked(read(path), 1) if path.is_file() else [[]]
    return film_of(row["variant"], int(row["target"]), taken) if taken else None


def _charts(variants: Sequence[str], rows: Sequence[Row], curves: Sequence[Row], budget: int) -> list[Chart]:
    x_label = "images shown to the classifier"
    found = []
    if curves:
        found.append(
            Chart(
                "Confidence, median over runs",
                x_label,
                "confidence",
                _medians(variants, curves),
                low=0,
                high=1.02,
                percent=True,
            )
        )
    if rows:
        shares = [_share(name, [row for row in rows if row["variant"] == name], budget) for name in variants]
        found.append(
            Chart("Runs that reached the goal", x_label, "share of the runs", shares, low=0, high=1.02, percent=True)
        )
    return found


def _medians(variants: Sequence[str], curves: Sequence[Row]) -> list[Line]:
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in curves:
        values[row["variant"]][int(row["evaluations"])].append(float(row["confidence"]))
    return [
        Line(name, sorted(values[name]), [float(np.median(values[name][place])) for place in sorted(values[name])])
        for name in variants
        if values[name]
    ]


def _share(name: str, rows: Sequence[Row], budget: int) -> Line:
    reached = np.array(sorted(int(row["evaluations_to_goal"]) for row in rows if row["evaluations_to_goal"]), int)
    places = np.unique(np.concatenate([[1], reached, [max(budget, reached.max(initial=1))]]))
    shares = np.searchsorted(reached, places, side="right") / max(1, len(rows))
    return Line(name, places.tolist(), shares.tolist())
