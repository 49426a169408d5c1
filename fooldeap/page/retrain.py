"""The page of a retraining: its report, and the images of each network with how they came about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fooldeap.numerals import grouped
from fooldeap.page import sources
from fooldeap.page.markdown import parts
from fooldeap.page.parts import Film, Group, Thumb, percent
from fooldeap.page.rendering import render
from fooldeap.page.run import films, thinned, thumb
from fooldeap.page.views import RunView, views
from fooldeap.storage.inputs import read_json


def retrain_page(folder: Path) -> str:
    """Return the page of a finished retraining."""
    measures = read_json(folder / "summary.json")
    networks = [(f"Network {each['network']}", _runs(folder, each["network"])) for each in measures]
    made = sources.provenance(folder, "retrain.yaml")
    return render(
        "retrain.html",
        title=sources.named(made.configuration, "retraining"),
        lead=f"{len(measures)} networks, each trained on the images that fooled those before it, and fooled again.",
        tiles=_tiles(measures),
        report=[part for part in parts(folder, "report.md") if part.title != "Images"],
        groups=[Group(title, [_thumb(run) for run in runs]) for title, runs in networks],
        films=_films(networks),
        provenance=made,
    )


def _runs(folder: Path, network: int) -> list[RunView]:
    """Return the runs of the first seed on a network."""
    place = folder / f"networks/{network:02d}/run"
    runs = views(place, read_json(place / "result.json"), logs=False)
    return [run for run in runs if run.data["seed"] == runs[0].data["seed"]]


def _thumb(run: RunView) -> Thumb:
    names = ("target", "predicted", "confidence", "evaluations_to_goal", "evaluations")
    return thumb(run.image, *(run.data[name] for name in names))


def _films(networks: Sequence[tuple[str, Sequence[RunView]]]) -> list[tuple[str, list[Film]]]:
    every = [(title, film) for title, runs in networks for film in films(runs)]
    found: dict[str, list[Film]] = {}
    for (title, _), film in zip(every, thinned([film for _, film in every]), strict=False):  # perhaps not the last ones
        found.setdefault(title, []).append(film)
    return list(found.items())


def _tiles(measures: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    first, last = measures[0], measures[-1]
    return [
        ("networks", str(len(measures))),
        ("images evolved", grouped(sum(each["images"] for each in measures))),
        ("reached, first network", f"{first['reached']} of {first['images']}"),
        ("reached, last network", f"{last['reached']} of {last['images']}"),
        ("accuracy, last network", percent(last["accuracy"])),
    ]
