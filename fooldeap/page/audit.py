"""The page of an audit: its images, how the share of the classes reached grew, and the whole of its report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fooldeap.numerals import grouped, level
from fooldeap.page import sources
from fooldeap.page.markdown import parts
from fooldeap.page.parts import Card, Chart, Line, percent
from fooldeap.page.rendering import render
from fooldeap.storage.inputs import read_json

SHOWN, VALUES = 20, 6_000_000  # classes whose images are shown, and values in these images, at most
Said = Mapping[str, Any]


def audit_page(folder: Path) -> str:
    """Return the page of a finished audit."""
    said = read_json(folder / "audit.json")
    height, width, channels = said["shape"]
    shown = said["classes"][: max(1, min(SHOWN, VALUES // (len(said["attacks"]) * height * width * channels)))]
    about, _, first, *others = parts(folder, "report.md")  # the second, the verdict, is the lead
    return render(
        "audit.html",
        title=f"Audit of {said['title']}",
        lead=said["verdict"],
        tiles=_tiles(said),
        charts=[_chart(said, each) for each in (said["levels"][0], said["levels"][-1])],
        galleries=list(_galleries(folder, said, shown)),
        left_out=len(said["classes"]) - len(shown),
        about=about,
        first=first,
        report=[part for part in others if part.title != "Provenance"],
        provenance=sources.provenance(folder, "audit.yaml"),
    )


def _tiles(said: Said) -> list[tuple[str, str]]:
    goal, count = said["levels"][-1], len(said["classes"])
    return [
        ("classes attacked", str(count)),
        (f"reached {level(goal)}", f"{len(_lowest_costs(said, goal))} of {count}"),
        ("images a class and attack", grouped(said["budget"])),
        ("images shown in all", grouped(sum(attack["images"] for attack in said["attacks"]))),
        ("size of images", " × ".join(map(str, said["shape"]))),
    ]


# --- Curves ---------------------------------------------------------------------------------------------------------


def _chart(said: Said, at: float) -> Chart:
    """Return the share of classes reached as the images a class grow, for each attack and for the best of them."""
    count = len(said["classes"])
    costs = [("best without a look inside", _lowest_costs(said, at), said["budget"])]
    for attack in sorted(said["attacks"], key=lambda attack: attack["white_box"]):
        label = f"{attack['name']} (sees inside)" if attack["white_box"] else attack["name"]
        costs.append((label, _costs(said, attack["name"], at), attack["budget"]))
    return Chart(
        title=f"Classes reached with {level(at)}",
        x_label="images shown a class",
        y_label="share of the classes",
        lines=[Line(label, *steps(each, count, last)) for label, each, last in costs],
        low=0.0,
        high=1.02,
        percent=True,
    )


def _lowest_costs(said: Said, at: float) -> list[int]:
    fewest = [each["fewest"][str(at)] for each in said["classes"]]
    return [each["images"] for each in fewest if each is not None]


def _costs(said: Said, attack: str, at: float) -> list[int]:
    tries = [each["attacks"][attack]["images_to"] for each in said["classes"] if attack in each["attacks"]]
    return [each[str(at)] for each in tries if str(at) in each]


def steps(costs: Iterable[int], classes: int, last: int) -> tuple[list[float], list[float]]:
    """Return the share of classes as it grows with the images shown for each: x, y of a step function to ``last``."""
    ordered = sorted(costs)
    x = [1.0, *map(float, ordered), float(last)]
    y = [0.0, *((index + 1) / classes for index in range(len(ordered))), len(ordered) / classes]
    return x, y


# --- Images ---------------------------------------------------------------------------------------------------------


def _galleries(folder: Path, said: Said, classes: Sequence[Said]) -> Iterator[tuple[str, str, list[Card]]]:
    """Yield the images of each attack, with its name and what it does."""
    names = {each["class"]: each["name"] for each in said["classes"]}
    images = sources.Images(folder)
    for attack in said["attacks"]:
        tries = [(each["class"], each["attacks"].get(attack["name"])) for each in classes]
        cards = [_card(images, names, target, each) for target, each in tries if each is not None]
        if cards:
            yield attack["name"], attack["what"], cards


def _card(images: sources.Images, names: Mapping[int, str], target: int, each: Said) -> Card:
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
            f"{percent(each['confidence'])} for its class"
            if reached is None
            else f"{grouped(each['images_to'][reached])} images to {level(float(reached))}"
        ],
        good=each["fooling"],
    )
