"""Build the page of an audit: its report, the share of classes reached, and the images of each attack."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fooldeap.formatting import grouped, level
from fooldeap.report import sources
from fooldeap.report.common import complete
from fooldeap.report.model import DOCUMENT, Block, Cards, Charts, Report, Section, Text
from fooldeap.report.parts import Card, Chart, Line, percent
from fooldeap.storage.inputs import read_json

SHOWN, VALUES = 20, 6_000_000  # the largest number of classes whose images are shown, and of values in these images
Data = Mapping[str, Any]  # of audit.json


def audit_report(folder: Path) -> Report:
    """Return the report of a finished audit, with the pictures of its page."""
    data = read_json(folder / "audit.json")
    charts = [_chart(data, each) for each in (data["levels"][0], data["levels"][-1])]
    pictures = [Section("Classes reached", [Charts(charts)]), Section("Images", list(_images(folder, data)))]
    return complete(Report.read(folder), folder, "audit.yaml", pictures=pictures, provenance=DOCUMENT)


# --- Curves ---------------------------------------------------------------------------------------------------------


def _chart(data: Data, at: float) -> Chart:
    """Return the share of classes reached over the evaluations per class: the best black-box attack, and each attack.

    ``at`` is the confidence that counts as reached.
    """
    count = len(data["classes"])
    costs = [("best black-box attack", _lowest_costs(data, at), data["budget"])]
    for attack in sorted(data["attacks"], key=lambda attack: attack["white_box"]):
        label = f"{attack['name']} (white box)" if attack["white_box"] else attack["name"]
        costs.append((label, _costs(data, attack["name"], at), attack["budget"]))
    return Chart(
        title=f"Classes reached, {level(at)}",
        x_label="evaluations per class",
        y_label="share of the classes",
        lines=[Line(label, *steps(each, count, last)) for label, each, last in costs],
        low=0.0,
        high=1.02,
        percent=True,
    )


def _lowest_costs(data: Data, at: float) -> list[int]:
    fewest = [each["fewest"][str(at)] for each in data["classes"]]
    return [each["images"] for each in fewest if each is not None]


def _costs(data: Data, attack: str, at: float) -> list[int]:
    tries = [each["attacks"][attack]["images_to"] for each in data["classes"] if attack in each["attacks"]]
    return [each[str(at)] for each in tries if str(at) in each]


def steps(costs: Iterable[int], classes: int, last: int) -> tuple[list[float], list[float]]:
    """Return x and y of a step function from 1 to ``last``: the share of classes with a cost of at most x."""
    ordered = sorted(costs)
    x = [1.0, *map(float, ordered), float(last)]
    y = [0.0, *((index + 1) / classes for index in range(len(ordered))), len(ordered) / classes]
    return x, y


# --- Images ---------------------------------------------------------------------------------------------------------


def _images(folder: Path, data: Data) -> Iterator[Block]:
    """Yield the images of each attack."""
    height, width, channels = data["shape"]
    most = max(1, min(SHOWN, VALUES // (len(data["attacks"]) * height * width * channels)))
    classes, left_out = data["classes"][:most], len(data["classes"][most:])
    more = f" The images of {left_out} more classes are in the folder." if left_out else ""
    yield Text(f"The best image of each class and attack.{more}")
    names = {each["class"]: each["name"] for each in data["classes"]}
    images = sources.Images(folder)
    for attack in data["attacks"]:
        tries = [(each["class"], each["attacks"].get(attack["name"])) for each in classes]
        cards = [_card(images, names, target, each) for target, each in tries if each is not None]
        if cards:
            yield Cards(cards, f"{attack['name']}: {attack['what']}")


def _card(images: sources.Images, names: Mapping[int, str], target: int, each: Data) -> Card:
    image = images.get(each["image"])
    if image is None:
        raise FileNotFoundError(each["image"])
    reached = max(each["images_to"], key=float, default=None)
    return Card(
        title=f"class {names[target]}",
        image=image,
        seen=names.get(each["predicted"], str(each["predicted"])),
        confidence=each["confidence"] if each["predicted"] == target else None,
        lines=[
            f"{percent(each['confidence'])} for this class"
            if reached is None
            else f"{level(float(reached))} after {grouped(each['images_to'][reached])} evaluations"
        ],
        good=each["fooling"],
    )
