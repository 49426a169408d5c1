"""Build the page of a study: its report, and charts, images and films from the files of its folder."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fooldeap.engine import snapshots
from fooldeap.report import sources
from fooldeap.report.common import complete
from fooldeap.report.model import Block, Charts, Films, Gallery, Report, Section, Text
from fooldeap.report.parts import Chart, Film, ImageGroup, Line, Thumb, film_of, thinned, thumb
from fooldeap.storage.inputs import read, read_json

MOST_VARIANTS = 24
MOST_TARGETS = 20
Row = Mapping[str, str]


def study_report(folder: Path) -> Report:
    """Return the report of a finished study, with the pictures of its page."""
    return complete(Report.read(folder), folder, "study.yaml", pictures=list(_pictures(folder)))


def _pictures(folder: Path) -> Iterator[Section]:
    summary = read_json(folder / "summary.json")
    ranked = sorted(summary["variants"], key=lambda name: (summary["variants"][name]["mean_rank"], name))
    shown, left_out = ranked[:MOST_VARIANTS], len(ranked[MOST_VARIANTS:])
    rows = sources.rows(folder / "runs.csv")
    first = [row for row in rows if row["seed"] == str(min(summary["study"]["seeds"], default=0))]
    charts = _charts(shown, rows, sources.rows(folder / "curves.csv"), summary["study"]["budget"])
    yield Section("Growth", [Charts(charts)] if charts else [])
    if shown and first:
        blocks: list[Block] = [
            Text(
                f"The best image of each variant for each target, for seed {first[0]['seed']}. The variants are sorted "
                "by mean rank. Below each image: the target, the confidence, and the evaluations until the goal."
            ),
            Gallery(_gallery(folder, shown, first)),
        ]
        yield Section(
            "Images", [*blocks, *([Text(f"{left_out} more variants are not shown here.")] if left_out else [])]
        )
    if films := _films(folder, shown, first):
        about = Text(
            "The best images of all variants after the same number of evaluations. The bars show the classifier's "
            "probability of each class."
        )
        yield Section("Evolution", [about, *films])


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


def _films(folder: Path, variants: Sequence[str], rows: Sequence[Row]) -> list[Films]:
    """Return for each target the films of all variants."""
    targets = sorted({int(row["target"]) for row in rows})[:MOST_TARGETS]
    every = [
        film
        for target in targets
        for name in variants
        for row in rows
        if row["variant"] == name and row["target"] == str(target) and (film := _film(folder, row)) is not None
    ]
    kept = thinned(every)
    found = [(target, own) for target in targets if (own := [film for film in kept if film.target == target])]
    return [Films(own, f"Target {target}", open=index == 0) for index, (target, own) in enumerate(found)]


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
