"""The page of a study: its conclusions, charts, the images of each variant, and the whole report."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooldeap.engine import snapshots
from fooldeap.formatting import goal_text, grouped
from fooldeap.report import sources
from fooldeap.report.markdown import CAVEATS, parts
from fooldeap.report.parts import Chart, Film, ImageGroup, Line, Thumb
from fooldeap.report.rendering import render
from fooldeap.report.run import film_of, thinned, thumb
from fooldeap.storage.inputs import read, read_json

MOST_VARIANTS = 24
MOST_TARGETS = 20
Row = Mapping[str, str]
_CONCLUSIONS = ("Conclusions", "Where ")  # the title of the conclusions of a study, or of a plugin compared by --try


def study_page(folder: Path) -> str:
    """Return the page of a finished study as HTML."""
    summary = read_json(folder / "summary.json")
    study = summary["study"]
    ranked = sorted(summary["variants"], key=lambda name: (summary["variants"][name]["mean_rank"], name))
    rows = sources.rows(folder / "runs.csv")
    first = [row for row in rows if row["seed"] == str(min(study["seeds"], default=0))]
    report = parts(folder, "report.md")
    conclusions = [part for part in report if part.title.startswith(_CONCLUSIONS) or part.title in CAVEATS]
    return render(
        "study.html",
        title=study["name"],
        lead=_lead(study),
        tiles=_tiles(study, rows),
        conclusions=sorted(conclusions, key=lambda part: part.title in CAVEATS),
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
        f"{count} {'variant' if count == 1 else 'variants'}, compared by the number of evaluations of "
        f"{study['classifier']} until the goal is reached: {goal_text(study['goal'])}."
    )


def _tiles(study: Mapping[str, Any], rows: Sequence[Row]) -> list[tuple[str, str]]:
    reached = sum(bool(row["evaluations_to_goal"]) for row in rows)
    return [
        ("variants", str(len(study["variants"]))),
        ("targets", str(len(study["targets"]))),
        ("seeds", str(len(study["seeds"]))),
        ("reached", f"{grouped(reached)} of {grouped(len(rows))}"),
        ("budget per target", grouped(study["budget"])),
    ]


def _gallery(folder: Path, variants: Sequence[str], rows: Sequence[Row]) -> list[ImageGroup]:
    by_variant = defaultdict(list)
    for row in rows:
        by_variant[row["variant"]].append(row)
    images = sources.Images(folder)
    return [ImageGroup(name, [_thumb(images, row) for row in by_variant[name][:MOST_TARGETS]]) for name in variants]


def _thumb(images: sources.Images, row: Row) -> Thumb:
    image = images.get(f"variants/{row['variant']}/images/seed-{row['seed']}/{row['target']}.png")
    reached = int(row["evaluations_to_goal"]) if row["evaluations_to_goal"] else None
    figures = int(row["target"]), int(row["predicted"]), float(row["confidence"]), reached, int(row["evaluations"])
    return thumb(image, *figures)


def _films(folder: Path, variants: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, list[Film]]]:
    """Return for each target a title and the films of all variants."""
    targets = sorted({int(row["target"]) for row in rows})[:MOST_TARGETS]
    every = [
        film
        for target in targets
        for name in variants
        for row in rows
        if row["variant"] == name and row["target"] == str(target) and (film := _film(folder, row)) is not None
    ]
    films = [(f"Target {target}", [film for film in thinned(every) if film.target == target]) for target in targets]
    return [(title, own) for title, own in films if own]


def _film(folder: Path, row: Row) -> Film | None:
    path = folder / f"variants/{row['variant']}/snapshots/seed-{row['seed']}/{row['target']}.npz"
    (taken,) = snapshots.unpacked(read(path), 1) if path.is_file() else [[]]
    return film_of(row["variant"], int(row["target"]), taken) if taken else None


def _charts(variants: Sequence[str], rows: Sequence[Row], curves: Sequence[Row], budget: int) -> list[Chart]:
    x_label = "evaluations"
    charts = []
    if curves:
        charts.append(
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
        charts.append(
            Chart("Runs that reached the goal", x_label, "share of the runs", shares, low=0, high=1.02, percent=True)
        )
    return charts


def _medians(variants: Sequence[str], curves: Sequence[Row]) -> list[Line]:
    """Return the median confidence of each variant over evaluations."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in curves:
        values[row["variant"]][int(row["evaluations"])].append(float(row["confidence"]))
    return [
        Line(name, sorted(values[name]), [float(np.median(values[name][count])) for count in sorted(values[name])])
        for name in variants
        if values[name]
    ]


def _share(name: str, rows: Sequence[Row], budget: int) -> Line:
    """Return the share of the runs of a variant that reached the goal, over evaluations."""
    reached = np.array(sorted(int(row["evaluations_to_goal"]) for row in rows if row["evaluations_to_goal"]), int)
    counts = np.unique(np.concatenate([[1], reached, [max(budget, reached.max(initial=1))]]))
    shares = np.searchsorted(reached, counts, side="right") / max(1, len(rows))
    return Line(name, counts.tolist(), shares.tolist())
