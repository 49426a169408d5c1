"""The page of a retraining: its report, and for each network the images and their evolution."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fooldeap.formatting import grouped
from fooldeap.page import sources
from fooldeap.page.markdown import parts
from fooldeap.page.parts import Film, ImageGroup, Thumb, percent
from fooldeap.page.rendering import render
from fooldeap.page.run import films, thinned, thumb
from fooldeap.page.views import RunView, views
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


def _runs(folder: Path, network: int) -> list[RunView]:
    """Return the runs of the first seed on a network."""
    run_folder = folder / f"networks/{network:02d}/run"
    runs = views(run_folder, read_json(run_folder / "result.json"), logs=False)
    return [run for run in runs if run.data["seed"] == runs[0].data["seed"]]


def _thumb(run: RunView) -> Thumb:
    names = ("target", "predicted", "confidence", "evaluations_to_goal", "evaluations")
    return thumb(run.image, *(run.data[name] for name in names))


def _films(networks: Sequence[tuple[str, Sequence[RunView]]]) -> list[tuple[str, list[Film]]]:
    every = [(title, film) for title, runs in networks for film in films(runs)]
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
