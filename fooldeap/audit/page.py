"""What an audit found, as a page."""

from collections.abc import Sequence

from fooldeap.audit import report, words
from fooldeap.audit.battery import GOAL, LEVELS
from fooldeap.audit.findings import Findings, Try, steps
from fooldeap.numerals import grouped
from fooldeap.page import Card, Chart, Line, Table, render
from fooldeap.page.parts import percent

SHOWN, VALUES = 20, 6_000_000  # classes whose images are shown, and values in these images, at most


def html(found: Findings) -> str:
    """Return the page."""
    height, width, channels = found.shape
    shown = found.classes[: max(1, min(SHOWN, VALUES // (len(found.attacks) * height * width * channels)))]
    galleries = [(attack.name, attack.what, _cards(found, attack.name, shown)) for attack in found.attacks]
    return render(
        "audit.html",
        "fooldeap.audit",
        title=f"Audit of {found.title}",
        verdict=words.verdict(found),
        tiles=[
            ("classes attacked", str(len(found.classes))),
            (f"reached {words.level(GOAL)}", f"{len(found.lowest_costs(GOAL))} of {len(found.classes)}"),
            ("images a class and attack", grouped(found.budget)),
            ("images shown in all", grouped(sum(found.shown.values()))),
            ("size of images", f"{height} × {width} × {channels}"),
        ],
        classes=Table(*report.class_table(found), caption="Fewest images to fool each class, by which attack"),
        charts=[_chart(found, level) for level in (LEVELS[0], GOAL)],
        attacks=Table(*report.attack_table(found), caption="The attacks, and how many classes each reached"),
        galleries=[each for each in galleries if each[2]],
        left_out=len(found.classes) - len(shown),
        judged=report.judged(found),
        thresholds=[Table(head, rows, caption=caption) for caption, head, rows in report.threshold_tables(found)],
        meanings=list(words.meanings(found)),
        limits=list(words.limits(found)),
        facts=[("seed", str(found.seed)), ("classifier", str(found.classifier)), ("digest", found.digest)],
    )


def _chart(found: Findings, level: float) -> Chart:
    """Return the share of classes reached as the images a class grow, for each attack and for the best of them."""
    count = len(found.classes)
    blind = [attack for attack in found.attacks if not attack.white_box]
    costs = [("best without a look inside", found.lowest_costs(level), found.budget)]
    costs += [(attack.name, found.costs(attack.name, level), attack.budget) for attack in blind]
    costs += [
        (f"{attack.name} (sees inside)", found.costs(attack.name, level), attack.budget)
        for attack in found.attacks
        if attack.white_box
    ]
    lines = [Line(label, *steps(each, count, last)) for label, each, last in costs]
    return Chart(
        title=f"Classes reached with {words.level(level)}",
        x_label="images shown a class",
        y_label="share of the classes",
        lines=lines,
        low=0.0,
        high=1.02,
        percent=True,
    )


def _cards(found: Findings, attack: str, classes: Sequence[int]) -> list[Card]:
    own = [found.of(attack, target) for target in classes]
    return [_card(found, each) for each in own if each is not None]


def _card(found: Findings, each: Try) -> Card:
    reached = [level for level in LEVELS if level in each.images_to]
    if reached:
        line = f"{grouped(each.images_to[reached[-1]])} images to {words.level(reached[-1])}"
    else:
        line = f"{percent(each.confidence)} for its class"
    return Card(
        title=f"class {found.names[each.target]}",
        image=each.image,
        seen=found.names.get(each.predicted, str(each.predicted)),
        confidence=each.confidence if each.predicted == each.target else None,
        lines=[line],
        good=each.fooling,
    )
