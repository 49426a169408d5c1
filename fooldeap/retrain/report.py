"""The report of a retraining: sentences, table and figures."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fooldeap.formatting import grouped, percent
from fooldeap.images.drawing import drawing
from fooldeap.plugin import Images
from fooldeap.results import FoolingImage
from fooldeap.retrain.measures import NetworkMeasures
from fooldeap.terminal_text import markdown

if TYPE_CHECKING:
    from fooldeap.retrain.settings import Retraining

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


def files(
    measures: Sequence[NetworkMeasures], retraining: "Retraining", images: Sequence[Images]
) -> dict[str, str | bytes]:
    """Return the content of table, report and figures by file name; ``images`` are the images to show, by network."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(measures[0]._fields)
    writer.writerows(measures)
    figures = {**_draw(measures), "figures/images.png": _tile_images(images)}
    return {"networks.csv": text.getvalue(), "report.md": _markdown(measures, retraining), **figures}


def describe(each: NetworkMeasures, networks: int) -> str:
    """Return a sentence about a network, for the terminal."""
    recognised = "" if each.recognised is None else f", {percent(each.recognised)} of the earlier images recognised"
    return (
        f"network {each.network} of {networks}: {percent(each.accuracy)} accuracy on clean images{recognised}; "
        f"{each.reached} of {each.images} new images reached the goal, median confidence {percent(each.confidence)}"
    )


def markdown_table(measures: Sequence[NetworkMeasures]) -> str:
    """Return a table with one row per network."""
    rows = [HEADER, *map(_row, measures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---:|" * len(HEADER), *lines[1:]])


def _row(each: NetworkMeasures) -> tuple[str, ...]:
    low, high = percent(each.confidence_low), percent(each.confidence_high)
    return (
        str(each.network),
        f"{each.fooling}",
        percent(each.accuracy),
        f"{each.images}",
        percent(each.reached / each.images),
        f"{percent(each.confidence)} [{low}, {high}]",
        _format_count(each.evaluations_half),
        _format_count(each.evaluations),
        "–" if each.recognised is None else percent(each.recognised),
    )


def _format_count(evaluations: float | None) -> str:
    return "∞" if evaluations is None else grouped(evaluations)


def _markdown(measures: Sequence[NetworkMeasures], retraining: "Retraining") -> str:
    budget = retraining.experiment.stop.evaluations
    return (
        "\n\n".join(
            [
                f"# {markdown(retraining.experiment.name)}",
                f"{len(measures)} networks named {markdown(retraining.training.name)}. Each network is trained on the "
                "dataset and on the images evolved on all earlier networks, which form an additional class. Then "
                f"images are evolved on it, each with {budget or 'any number of'} evaluations at most. The accuracy is "
                "measured on the test images of the dataset; a test image classified as a fooling image counts as "
                "wrong. The confidence is the probability of the target. It includes the images that did not "
                "reach the goal. The earlier images are the fooling images in the training of a network. Percentages "
                "are rounded down.",
                markdown_table(measures),
                "![Confidence of new fooling images, clean accuracy and evaluations, by network](figures/retrain.png)",
                "## Images",
                "The images of the first seed: one row per network, one column per target.",
                "![Images evolved on each network](figures/images.png)",
            ]
        )
        + "\n"
    )


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
