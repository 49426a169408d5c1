"""The report of a retraining, its table and its figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fooldeap.engine import snapshots
from fooldeap.formatting import as_csv, grouped, percent, proportion
from fooldeap.images.drawing import drawing
from fooldeap.plugin import Images
from fooldeap.report.model import (
    DOCUMENT,
    HTML,
    MARKDOWN,
    TERMINAL,
    Figure,
    Film,
    Films,
    Gallery,
    ImageGroup,
    Report,
    Section,
    Table,
    Text,
    thumb,
)
from fooldeap.results import FoolingImage
from fooldeap.retrain.measures import NetworkMeasures

if TYPE_CHECKING:
    from fooldeap.retrain.settings import Retraining

MOST_FILMS = 20  # of a network
HEADER = (
    "network",
    "fooling images in training",
    "clean accuracy",
    "images evolved",
    "reached the goal",
    "median confidence [quartiles]",
    "median evaluations to 50 %",
    "to the goal",
    "earlier images recognised",
)
_CHART = "figures/retrain.png", "Confidence of new fooling images, clean accuracy and evaluations, by network"
_SHEET = "figures/images.png", "Images evolved on each network: one column per target"


def files(measures: Sequence[NetworkMeasures], images: Sequence[Images]) -> dict[str, str | bytes]:
    """Return the content of table and figures by file name; ``images`` are the images to show, by network."""
    table = as_csv([measures[0]._fields, *measures])
    return {"networks.csv": table, **_draw(measures), "figures/images.png": _tile_images(images)}


def describe(each: NetworkMeasures, networks: int) -> str:
    """Return a sentence about a network, for the terminal."""
    recognised = "" if each.recognised is None else f", {proportion(each.recognised)} of the earlier images recognised"
    return (
        f"network {each.network} of {networks}: {proportion(each.accuracy)} accuracy on clean images{recognised}; "
        f"{each.reached} of {each.images} new images reached the goal, median confidence {percent(each.confidence)}"
    )


def _row(each: NetworkMeasures) -> tuple[str, ...]:
    low, high = percent(each.confidence_low), percent(each.confidence_high)
    return (
        str(each.network),
        f"{each.fooling}",
        proportion(each.accuracy),
        f"{each.images}",
        proportion(each.reached / each.images),
        f"{percent(each.confidence)} [{low}, {high}]",
        _format_count(each.evaluations_half),
        _format_count(each.evaluations),
        "–" if each.recognised is None else proportion(each.recognised),
    )


def _format_count(evaluations: float | None) -> str:
    return "∞" if evaluations is None else grouped(evaluations)


def build_report(
    measures: Sequence[NetworkMeasures],
    retraining: "Retraining",
    runs: Sequence[Sequence[Mapping[str, Any]]],
    classes: int,
) -> Report:
    """Return the report of a retraining.

    ``runs`` are the results of the runs on each network. ``classes`` is the number of classes of the dataset. The
    networks have an additional class of fooling images after these classes.
    """
    names = [*map(str, range(classes)), "fooling image"]
    groups = [_group(*each, names) for each in enumerate(runs, 1)]
    films = [_films(*each, names) for each in enumerate(runs, 1)]
    return Report(
        title=retraining.experiment.name,
        lead=(
            f"{len(measures)} networks. Each one after the first was trained also on the images that fooled the "
            "networks before it. Then images were evolved on it."
        ),
        facts=_facts(measures),
        sections=[
            Section("Networks", [network_table(measures), Figure(*_CHART)], (*DOCUMENT, TERMINAL)),
            Section(
                "Images", [Text("The images of the first seed: one row per network."), Figure(*_SHEET)], [MARKDOWN]
            ),
            Section("Images", [Text(_ABOUT_IMAGES), Gallery(groups)], [HTML]),
            Section("Evolution", [Text(_ABOUT_FILMS), *films], [HTML]),
            Section("Method", [Text(_method(retraining))]),
        ],
    )


_ABOUT_IMAGES = (
    "The best images of the first seed on each network. Below each image: the target, the confidence, and the "
    "evaluations until the goal."
)
_ABOUT_FILMS = "The evolution of these images. The bars show the network's probability of each class."


def _group(network: int, runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> ImageGroup:
    first = [run for run in runs if run["seed"] == runs[0]["seed"]]
    thumbs = [thumb(f"networks/{network:02d}/run/{run['image']}", run, names) for run in first]
    return ImageGroup(f"Network {network}", thumbs)


def _films(network: int, runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Films:
    path = f"networks/{network:02d}/run/{snapshots.FILE}"
    first = [(index, run["target"]) for index, run in enumerate(runs) if run["seed"] == runs[0]["seed"]]
    films = [Film(str(target), target, path, index, len(runs), names) for index, target in first[:MOST_FILMS]]
    return Films(films, f"Network {network}", open=network == 1)


def _facts(measures: Sequence[NetworkMeasures]) -> list[tuple[str, str]]:
    first, last = measures[0], measures[-1]
    return [
        ("networks", str(len(measures))),
        ("images evolved", grouped(sum(each.images for each in measures))),
        ("reached, first network", f"{first.reached} of {first.images}"),
        ("reached, last network", f"{last.reached} of {last.images}"),
        ("accuracy, last network", proportion(last.accuracy)),
    ]


def _method(retraining: "Retraining") -> str:
    budget = retraining.experiment.stop.evaluations
    return (
        f"The networks are named {retraining.training.name}. Each is trained on the dataset and on the images evolved "
        "on all earlier networks, which form an additional class. Then images are evolved on it, each with "
        f"{budget or 'any number of'} evaluations at most. The accuracy is measured on the test images of the dataset; "
        "a test image classified as a fooling image counts as wrong. The confidence is the probability of the target. "
        "It includes the images that did not reach the goal. The earlier images are the fooling images in the training "
        "of a network. Confidences are rounded down."
    )


def network_table(measures: Sequence[NetworkMeasures]) -> Table:
    """Return a table with one row per network."""
    return Table(HEADER, [_row(each) for each in measures], left=0)


def _tile_images(images: Sequence[Images]) -> bytes:
    """Return a PNG with one row of images per network."""
    columns, height, width, channels = map(max, zip(*(row.shape for row in images), strict=True))
    sheet = np.full((len(images), height + 2, columns, width + 2, channels), 255, np.uint8)
    for cells, row in zip(sheet, images, strict=True):
        cells[1:-1, : len(row), 1:-1] = row.transpose(1, 0, 2, 3)
    joined = sheet.reshape(len(images) * (height + 2), columns * (width + 2), channels)
    return FoolingImage(joined).png(max(1, 56 // height))


def _draw(measures: Sequence[NetworkMeasures]) -> dict[str, bytes]:
    """Return the figure as PNG and SVG: confidence and accuracy above, evaluations below."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from fooldeap.study.figures import saved
    from fooldeap.study.figures.looks import COLUMN, EVALUATIONS, STYLE, clipped, logit

    def column(name: str) -> list[float]:
        return [float("nan") if getattr(each, name) is None else getattr(each, name) for each in measures]

    with drawing(STYLE):
        figure = Figure(figsize=(COLUMN, 3.8), layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=[3, 2])
        low, middle, high = (clipped(column(f"confidence{end}")) for end in ("_low", "", "_high"))
        above.fill_between(column("network"), low, high, color="#0072B2", alpha=0.2, linewidth=0)
        accuracy = clipped(column("accuracy"))
        for axes, label, values, mark, colour in (
            (above, "confidence of new fooling images: median, quartiles", middle, "o-", "#0072B2"),
            (above, "accuracy on clean images", accuracy, "s--", "#000000"),
            (below, "median evaluations to 50 %", column("evaluations_half"), "^-", "#E69F00"),
            (below, "median evaluations to the goal, if half reached it", column("evaluations"), "D:", "#D55E00"),
        ):
            axes.plot(column("network"), values, mark, color=colour, markersize=3, label=label)
            axes.grid()
        logit(above, min([*low, *accuracy]), max([*high, *accuracy]))
        below.set_ylim(0)
        below.set(xlabel="network", ylabel=EVALUATIONS)
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside lower center")
        return {f"figures/retrain.{kind}": saved(figure, kind) for kind in ("png", "svg")}
