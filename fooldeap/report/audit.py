"""The page of an audit: the share of classes reached, the images of each attack, and the whole report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fooldeap.formatting import grouped, level
from fooldeap.report import sources
from fooldeap.report.markdown import PROVENANCE, parts
from fooldeap.report.parts import Card, Chart, Line, percent
from fooldeap.report.rendering import render
from fooldeap.storage.inputs import read_json

SHOWN, VALUES = 20, 6_000_000  # the largest number of classes whose images are shown, and of values in these images
Data = Mapping[str, Any]  # of audit.json


def audit_page(folder: Path) -> str:
    """Return the page of a finished audit as HTML."""
    data = read_json(folder / "audit.json")
    height, width, channels = data["shape"]
    shown = data["classes"][: max(1, min(SHOWN, VALUES // (len(data["attacks"]) * height * width * channels)))]
    about, _, first, *others = parts(folder, "report.md")  # the second section, the summary, is the lead
    return render(
        "audit.html",
        title=f"Audit of {data['title']}",
        lead=data["verdict"],
        tiles=_tiles(data),
        charts=[_chart(data, each) for each in (data["levels"][0], data["levels"][-1])],
        galleries=list(_galleries(folder, data, shown)),
        left_out=len(data["classes"]) - len(shown),
        about=about,
        first=first,
        report=[part for part in others if part.title not in PROVENANCE],
        provenance=sources.provenance(folder, "audit.yaml"),
    )


def _tiles(data: Data) -> list[tuple[str, str]]:
    goal, count = data["levels"][-1], len(data["classes"])
    return [
        ("classes attacked", str(count)),
        (f"classes reached, {level(goal)}", f"{len(_lowest_costs(data, goal))} of {count}"),
        ("evaluations per class and attack", grouped(data["budget"])),
        ("evaluations in total", grouped(sum(attack["images"] for attack in data["attacks"]))),
        ("image size", " × ".join(map(str, data["shape"]))),
    ]


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


def _galleries(folder: Path, data: Data, classes: Sequence[Data]) -> Iterator[tuple[str, str, list[Card]]]:
    """Yield the name, the description and the images of each attack."""
    names = {each["class"]: each["name"] for each in data["classes"]}
    images = sources.Images(folder)
    for attack in data["attacks"]:
        tries = [(each["class"], each["attacks"].get(attack["name"])) for each in classes]
        cards = [_card(images, names, target, each) for target, each in tries if each is not None]
        if cards:
            yield attack["name"], attack["what"], cards


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
