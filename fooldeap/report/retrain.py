"""The page of a retraining: its report, and for each network the images and their evolution."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fooldeap.formatting import grouped
from fooldeap.report import sources
from fooldeap.report.markdown import parts
from fooldeap.report.parts import Film, ImageGroup, Thumb, percent
from fooldeap.report.rendering import render
from fooldeap.report.run import films, thinned, thumb
from fooldeap.results import RunResult
from fooldeap.runs.run_folder import load
from fooldeap.storage.inputs import read_json


def retrain_page(folder: Path) -> str:
    """Return the page of a finished retraining as HTML."""
    measures = read_json(folder / "summary.json")
    networks = [(f"Network {each['network']}", _runs(folder, each["network"])) for each in measures]
    provenance = sources.provenance(folder, "retrain.yaml")
    return render(
        "retrain.html",
        title=sources.named(provenance.configuration, "retraining"),
        lead=(
            f"{len(measures)} networks. Each one after the first was trained also on the images that fooled the "
            "networks before it. Then images were evolved on it."
        ),
        tiles=_tiles(measures),
        report=[part for part in parts(folder, "report.md") if part.title != "Images"],
        groups=[ImageGroup(title, [_thumb(run) for run in runs]) for title, runs in networks],
        films=_films(networks),
        provenance=provenance,
    )


def _runs(folder: Path, network: int) -> list[RunResult]:
    """Return the runs of the first seed on a network."""
    result = load(folder / f"networks/{network:02d}/run")
    return [run for run in result if run.seed == result.runs[0].seed]


def _thumb(run: RunResult) -> Thumb:
    reached = run.evaluations_to_goal
    return thumb(run.image.pixels, run.target, run.predicted, run.confidence, reached, run.evaluations)


def _films(networks: Sequence[tuple[str, Sequence[RunResult]]]) -> list[tuple[str, list[Film]]]:
    every = [(title, film) for title, runs in networks for film in films(runs, [str(run.target) for run in runs])]
    by_network: dict[str, list[Film]] = {}
    for (title, _), film in zip(every, thinned([film for _, film in every]), strict=False):  # may drop the last films
        by_network.setdefault(title, []).append(film)
    return list(by_network.items())


def _tiles(measures: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    first, last = measures[0], measures[-1]
    return [
        ("networks", str(len(measures))),
        ("images evolved", grouped(sum(each["images"] for each in measures))),
        ("reached, first network", f"{first['reached']} of {first['images']}"),
        ("reached, last network", f"{last['reached']} of {last['images']}"),
        ("accuracy, last network", percent(last["accuracy"])),
    ]
