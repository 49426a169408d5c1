"""What a retraining leaves: a table and a figure."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fooldeap.images.drawing import drawing
from fooldeap.lines import markdown
from fooldeap.numerals import grouped, percent
from fooldeap.plugin import Images
from fooldeap.results import FoolingImage
from fooldeap.retrain.measures import Measures

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


def files(measures: Sequence[Measures], known: "Retraining", images: Sequence[Images]) -> dict[str, str | bytes]:
    """Return ``networks.csv``, ``report.md`` and the figures, by file name; ``images`` of each network to be shown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(measures[0]._fields)
    writer.writerows(measures)
    pictures = {**_drawn(measures), "figures/images.png": _sheet(images)}
    return {"networks.csv": text.getvalue(), "report.md": _report(measures, known), **pictures}


def sentence(each: Measures, networks: int) -> str:
    """Return what was found out about a network, for the terminal."""
    recognised = "" if each.recognised is None else f", {percent(each.recognised)} of the earlier images recognised"
    return (
        f"network {each.network} of {networks}: {percent(each.accuracy)} right on clean images{recognised}; "
        f"{each.reached} of {each.images} new images reached the goal, median confidence {percent(each.confidence)}"
    )


def markdown_table(measures: Sequence[Measures]) -> str:
    """Return a row a network."""
    rows = [HEADER, *map(_row, measures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---:|" * len(HEADER), *lines[1:]])


def _row(each: Measures) -> tuple[str, ...]:
    low, high = percent(each.confidence_low), percent(each.confidence_high)
    return (
        str(each.network),
        f"{each.fooling}",
        percent(each.accuracy),
        f"{each.images}",
        percent(each.reached / each.images),
        f"{percent(each.confidence)} [{low}, {high}]",
        _count(each.evaluations_half),
        _count(each.evaluations),
        "–" if each.recognised is None else percent(each.recognised),
    )


def _count(evaluations: float | None) -> str:
    return "∞" if evaluations is None else grouped(evaluations)


def _report(measures: Sequence[Measures], known: "Retraining") -> str:
    budget = known.experiment.stop.evaluations
    return (
        "\n\n".join(
            [
                f"# {markdown(known.experiment.name)}",
                f"{len(measures)} networks, {markdown(known.training.name)}: each is trained on the dataset and on the "
                "images evolved on all networks before it, as a class of their own; then images are evolved on it, "
                f"within {budget or 'any number of'} evaluations each. Accuracy is that on the dataset's test images, "
                "the fooling class counting as wrong. The confidence is the softmax probability of the target, of all "
                "images, whether they reached the goal or not. The earlier images, of all networks before, are those "
                "that a network was trained on. All are rounded down.",
                markdown_table(measures),
                "![Confidence of new fooling images, clean accuracy and evaluations, by network](figures/retrain.png)",
                "## Images",
                "The images of the first seed on each network, from the first down, a column a target:",
                "![Images evolved on each network](figures/images.png)",
            ]
        )
        + "\n"
    )


def _sheet(images: Sequence[Images]) -> bytes:
    """Return a PNG with a row of images a network."""
    most, height, width, channels = map(max, zip(*(row.shape for row in images), strict=True))
    sheet = np.full((len(images), height + 2, most, width + 2, channels), 255, np.uint8)
    for place, row in zip(sheet, images, strict=True):
        place[1:-1, : len(row), 1:-1] = row.transpose(1, 0, 2, 3)
    joined = sheet.reshape(len(images) * (height + 2), most * (width + 2), channels)
    return FoolingImage(joined).png(max(1, 56 // height))


def _drawn(measures: Sequence[Measures]) -> dict[str, bytes]:
    """Return the figure: how certain the networks are of the images, and how many it takes."""
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
            (below, "median evaluations to the goal, where half reached it", column("evaluations"), "D:", "#D55E00"),
        ):
            axes.plot(column("network"), values, mark, color=colour, markersize=3, label=label)
            axes.grid()
        logit(above, min([*low, *accuracy]), max([*high, *accuracy]))
        below.set_ylim(0)
        below.set(xlabel="network", ylabel=EVALUATIONS)
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside lower center")
        return {f"figures/retrain.{kind}": saved(figure, kind) for kind in ("png", "svg")}
