"""Build the page of a retraining: its report, and the images of each network and their evolution."""

from pathlib import Path

from fooldeap.report.common import complete
from fooldeap.report.model import Films, Gallery, Report, Section, Text
from fooldeap.report.parts import Film, ImageGroup, Thumb, film_of, thinned, thumb
from fooldeap.results import RunResult
from fooldeap.runs.run_folder import load
from fooldeap.storage.inputs import read_json

MOST_FILMS = 20  # of a network


def retrain_report(folder: Path) -> Report:
    """Return the report of a finished retraining, with the pictures of its page."""
    networks = [each["network"] for each in read_json(folder / "summary.json")]
    runs = {f"Network {network}": _first_runs(folder, network) for network in networks}
    images = [ImageGroup(title, [_thumb(run) for run in own]) for title, own in runs.items()]
    about_images = (
        "The best images of the first seed on each network. Below each image: the target, the confidence, and the "
        "evaluations until the goal."
    )
    films = _films(runs)
    about_films = "The evolution of these images. The bars show the network's probability of each class."
    pictures = [
        Section("Images", [Text(about_images), Gallery(images)]),
        Section("Evolution", [Text(about_films), *films] if films else []),
    ]
    return complete(Report.read(folder), folder, "retrain.yaml", pictures=pictures)


def _first_runs(folder: Path, network: int) -> list[RunResult]:
    """Return the runs of the first seed on a network."""
    result = load(folder / f"networks/{network:02d}/run")
    return [run for run in result if run.seed == result.runs[0].seed]


def _thumb(run: RunResult) -> Thumb:
    reached = run.evaluations_to_goal
    return thumb(run.image.pixels, run.target, run.predicted, run.confidence, reached, run.evaluations)


def _films(networks: dict[str, list[RunResult]]) -> list[Films]:
    titles = [title for title, runs in networks.items() for run in runs[:MOST_FILMS] if run.snapshots]
    every = [
        film_of(str(run.target), run.target, run.snapshots)
        for runs in networks.values()
        for run in runs[:MOST_FILMS]
        if run.snapshots
    ]
    by_network: dict[str, list[Film]] = {}
    for title, film in zip(titles, thinned(every), strict=False):  # may drop the last films
        by_network.setdefault(title, []).append(film)
    return [Films(own, title, open=index == 0) for index, (title, own) in enumerate(by_network.items())]
