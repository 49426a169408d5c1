"""The results of an audit as JSON and CSV, and its report."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from fooldeap.audit import words
from fooldeap.audit.battery import GOAL, LEVELS
from fooldeap.audit.detection import NEIGHBOURS
from fooldeap.audit.results import ClassResult, Detection, DetectionResult, Findings
from fooldeap.formatting import as_csv, grouped, percent
from fooldeap.report.many_targets import CATALOGUE, histogram
from fooldeap.report.model import (
    DOCUMENT,
    HTML,
    TERMINAL,
    Block,
    Card,
    Cards,
    Catalogue,
    Chart,
    Charts,
    Entry,
    Items,
    Line,
    Report,
    Section,
    Table,
    Text,
    is_good,
    name_of,
)
from fooldeap.results import BEST

SUMMARY = (*DOCUMENT, TERMINAL)
SHOWN, VALUES = 20, 6_000_000  # the largest number of classes whose images are shown, and of values in these images


def data(found: Findings) -> dict[str, Any]:
    """Return the content of ``audit.json``."""
    return {
        "title": found.title,
        "classifier": found.classifier,
        "digest": found.digest,
        "shape": list(found.shape),
        "seed": found.seed,
        "budget": found.budget,
        "levels": list(LEVELS),
        "real_images": found.real,
        "verdict": words.verdict(found),
        "classes": [_class(found, target) for target in found.classes],
        "attacks": [
            {
                "name": attack.name,
                "what": attack.what,
                "charged": attack.charged,
                "white_box": attack.white_box,
                "budget": attack.budget,
                "images": found.shown[attack.name],
                "seconds": found.seconds[attack.name],
                "failures": found.failures[attack.name],
                "reached": {str(level): len(found.costs(attack.name, level)) for level in LEVELS},
            }
            for attack in found.attacks
        ],
        "left_out": [{"name": attack.name, "why": words.NEEDS_GRADIENT} for attack in found.left_out],
        "warnings": list(found.warnings),
        "thresholds": None if found.detection is None else asdict(found.detection),
    }


def _class(found: Findings, target: int) -> dict[str, Any]:
    results = [found.get(attack.name, target) for attack in found.attacks]
    return {
        "class": target,
        "name": found.names[target],
        "fewest": {str(level): _fewest(found.cheapest(target, level), level) for level in LEVELS},
        "fewest_with_gradient": {
            str(level): _fewest(found.cheapest(target, level, white_box=True), level) for level in LEVELS
        },
        "attacks": {
            each.attack: {
                "predicted": each.predicted,
                "confidence": each.confidence,
                "fooling": each.fooling,
                "images_to": {str(level): count for level, count in each.images_to.items()},
                "image": _image_path(each),
            }
            for each in results
            if each is not None
        },
    }


def _fewest(result: ClassResult | None, level: float) -> dict[str, Any] | None:
    return None if result is None else {"images": result.images_to[level], "attack": result.attack}


def classes_csv(found: Findings) -> str:
    """Return one row per class and attack: the evaluations to each level, or empty if it was not reached."""
    header = ["class", "attack", *(f"images_to_{100 * level:.10g}" for level in LEVELS), "predicted", "confidence"]
    header += ["name", "predicted_name"] if found.class_names else []
    rows = [
        [
            each.target,
            each.attack,
            *(each.images_to.get(level, "") for level in LEVELS),
            each.predicted,
            each.confidence,
            *([found.class_names[number] for number in (each.target, each.predicted)] if found.class_names else []),
        ]
        for each in found.results
    ]
    return as_csv([header, *rows])


def thresholds_csv(found: Findings) -> str:
    """Return one row per attack and score; the attack ``all`` stands for all attacks together."""
    rows: list[list[Any]] = [["attack", "fooling_images", "real_images", "score", "auroc", "threshold", "real_refused"]]
    if found.detection is not None:
        real = found.detection.real
        for attack, judged in {"all": found.detection.overall, **found.detection.attacks}.items():
            for score, each in judged.verdicts.items():
                rows.append([attack, judged.fooling, real, score, each.auroc, each.threshold, each.real_refused])
    return as_csv(rows)


def class_table(found: Findings) -> Table:
    """Return the table of classes: the fewest evaluations of black-box attacks to each level.

    The last columns have those of white-box attacks to the goal, if there are such attacks, and the best confidence of
    all attacks.
    """
    white_box = any(attack.white_box for attack in found.attacks)
    white_header = [f"{words.level(GOAL)}, white box"] if white_box else []
    header = ["class", *map(words.level, LEVELS), *white_header, "best confidence"]
    rows = []
    for target in found.classes:
        cells = [words.format_cell(found, found.cheapest(target, level), level) for level in LEVELS]
        if white_box:
            best = found.cheapest(target, GOAL, white_box=True)
            cells.append("not reached" if best is None else grouped(best.images_to[GOAL]))
        rows.append([found.names[target], *cells, percent(found.best_confidence(target))])
    return Table(header, rows)


def attack_table(found: Findings) -> Table:
    """Return the table of attacks: classes reached, classes recognised, median confidence, evaluations and seconds."""
    reached = [f"reached {words.level(level)}" for level in LEVELS]
    header = ["attack", *reached, "seen as the class", "median confidence", "evaluations", "seconds"]
    rows = []
    for attack in found.attacks:
        results = found.of_attack(attack.name)
        counts = [len(found.costs(attack.name, level)) for level in LEVELS]
        counts.append(sum(each.predicted == each.target for each in results))
        confidence = percent(statistics.median(each.confidence for each in results)) if results else "–"
        spent = [grouped(found.shown[attack.name]), f"{found.seconds[attack.name]:.1f}"]
        rows.append([attack.name, *(f"{count} of {len(found.classes)}" for count in counts), confidence, *spent])
    return Table(header, rows)


def confidence_table(found: Findings) -> Table:
    """Return the best confidence of each attack in each class."""
    rows = []
    for target in found.classes:
        results = [found.get(attack.name, target) for attack in found.attacks]
        rows.append([found.names[target], *("–" if each is None else percent(each.confidence) for each in results)])
    return Table(["class", *(attack.name for attack in found.attacks)], rows)


def ranking_tables(found: Findings) -> Iterator[Block]:
    """Yield tables of the classes in which the attacks reached the highest and the lowest confidence."""
    ranked = sorted(found.classes, key=lambda target: -found.best_confidence(target))
    for which, targets in (("highest", ranked[:BEST]), ("lowest", ranked[: -BEST - 1 : -1])):
        best = [(target, each) for target in targets if (each := found.best(target)) is not None]
        rows = [
            [found.names[target], found.label(each.predicted), each.attack, percent(each.confidence)]
            for target, each in best
        ]
        yield Text(f"The classes with the {which} best confidence of all attacks:")
        yield Table(["class", "seen as", "attack", "best confidence"], rows, left=3)


def build_report(found: Findings) -> Report:
    """Return the report of an audit."""
    count = len(found.classes)
    descriptions = [f"{attack.name}: {attack.what}" for attack in found.attacks]
    descriptions += [f"{attack.name}: left out, because {words.NEEDS_GRADIENT}." for attack in found.left_out]
    thresholds = [] if found.real is None else list(_thresholds(found.detection))
    return Report(
        title=f"Audit of {found.title}",
        lead=words.verdict(found),
        facts=[
            ("classes attacked", str(count)),
            (f"classes reached, {words.level(GOAL)}", f"{len(found.lowest_costs(GOAL))} of {count}"),
            ("evaluations per class and attack", grouped(found.budget)),
            ("evaluations in total", grouped(sum(found.shown.values()))),
            ("image size", " × ".join(map(str, found.shape))),
        ],
        sections=[
            *_results(found),
            Section("Classes reached", [Charts([_chart(found, LEVELS[0]), _chart(found, LEVELS[-1])])], [HTML]),
            Section("Images", list(_images(found)), [HTML]),
            Section("Attacks", [Items(descriptions), *([] if found.has_many_classes else [attack_table(found)])]),
            Section("Detection by thresholds", thresholds),
            Section("Explanation of the figures", [Items(list(words.meanings(found)))]),
            Section("Limitations", [Items(list(words.limits(found)))]),
            Section("Setup", [Text(_setup(found))]),
        ],
    )


def _results(found: Findings) -> Iterator[Section]:
    """Yield the tables of the classes; with many classes, a summary comes first."""
    best = Text("The best confidence that each attack reached in each class.")
    if not found.has_many_classes:
        yield Section("Fewest evaluations to fool each class", [class_table(found)], SUMMARY)
        yield Section("Best confidence by attack", [best, confidence_table(found)])
        return
    count = f"All {len(found.classes)} classes"
    confidences = [found.best_confidence(target) for target in found.classes]
    yield Section("Results by attack", [attack_table(found)], SUMMARY)
    yield Section("Best confidence of each class", [histogram(confidences, "classes"), *ranking_tables(found)], SUMMARY)
    yield Section("Best confidence by attack", [best, replace(confidence_table(found), title=count)])
    yield Section("Fewest evaluations to fool each class", [replace(class_table(found), title=count)])


def _chart(found: Findings, at: float) -> Chart:
    """Return the share of classes reached over the evaluations per class: the best black-box attack, and each attack.

    ``at`` is the confidence that counts as reached.
    """
    costs = [("best black-box attack", found.lowest_costs(at), found.budget)]
    for attack in sorted(found.attacks, key=lambda attack: attack.white_box):
        label = f"{attack.name} (white box)" if attack.white_box else attack.name
        costs.append((label, found.costs(attack.name, at), attack.budget))
    return Chart(
        title=f"Classes reached, {words.level(at)}",
        x_label="evaluations per class",
        y_label="share of the classes",
        lines=[Line(label, *steps(each, len(found.classes), last)) for label, each, last in costs],
        low=0.0,
        high=1.02,
        percent=True,
    )


def steps(costs: Sequence[int], classes: int, last: int) -> tuple[list[float], list[float]]:
    """Return x and y of a step function from 1 to ``last``: the share of classes with a cost of at most x."""
    x = [1.0, *map(float, sorted(costs)), float(last)]
    y = [0.0, *((index + 1) / classes for index in range(len(costs))), len(costs) / classes]
    return x, y


def _images(found: Findings) -> Iterator[Block]:
    """Yield the images of each attack; with many classes, the best image of each class."""
    if found.has_many_classes:
        yield Text(f"The best image of each class, of all attacks. {CATALOGUE}")
        best = [each for target in found.classes if (each := found.best(target)) is not None]
        yield Catalogue([_entry(found, each) for each in best])
        return
    most = max(1, min(SHOWN, VALUES // (len(found.attacks) * math.prod(found.shape))))
    left_out = len(found.classes[most:])
    more = f" The images of {left_out} more classes are in the folder." if left_out else ""
    yield Text(f"The best image of each class and attack.{more}")
    for attack in found.attacks:
        results = [found.get(attack.name, target) for target in found.classes[:most]]
        if cards := [_card(found, each) for each in results if each is not None]:
            yield Cards(cards, f"{attack.name}: {attack.what}")


def _entry(found: Findings, each: ClassResult) -> Entry:
    reached = max(each.images_to, default=None)
    reach = [] if reached is None else [f"{words.level(reached)} after {grouped(each.images_to[reached])}"]
    return Entry(
        number=each.target,
        name=name_of(each.target, found.class_names) if found.class_names else "",
        image=_image_path(each),
        confidence=each.confidence,
        seen="" if each.predicted == each.target else name_of(each.predicted, found.class_names),
        lines=[each.attack, *reach],
        cost=each.images_to.get(GOAL),
        good=is_good(each.target, each.predicted, reached=each.fooling),
    )


def _card(found: Findings, each: ClassResult) -> Card:
    reached = max(each.images_to, default=None)
    return Card(
        title=f"class {found.names[each.target]}",
        image=_image_path(each),
        seen=found.label(each.predicted),
        confidence=each.confidence if each.predicted == each.target else None,
        lines=[
            f"{percent(each.confidence)} for this class"
            if reached is None
            else f"{words.level(reached)} after {grouped(each.images_to[reached])} evaluations"
        ],
        good=is_good(each.target, each.predicted, reached=each.fooling),
    )


def _image_path(each: ClassResult) -> str:
    return f"attacks/{each.attack}/images/{each.target}.png"


def _setup(found: Findings) -> str:
    height, width, channels = found.shape
    return (
        f"Image size {height} x {width} x {channels}; seed {found.seed}; {grouped(found.budget)} evaluations per class "
        f"and attack. Classifier, SHA-256 {found.digest}. {_real_images(found)}"
    )


def _real_images(found: Findings) -> str:
    """Return a sentence about the real images."""
    real = found.real
    if real is None:
        return "No real images were given."
    spread = "" if real["taken"] == real["found"] else f" of {grouped(real['found'])}, evenly spread"
    return f"Real images: {real['source']}, {grouped(real['taken'])}{spread}; SHA-256 {real['sha256']}."


def _thresholds(own: Detection | None) -> Iterator[Block]:
    """Yield the images that were compared, the precision, and the tables of the scores, in all and by attack."""
    if own is None:
        yield Text("No fooling images to compare: no image reached 50 % for its class.")
        return
    yield Text(
        f"Fooling images: {grouped(own.overall.fooling)}, the best image of each class and attack if it reached 50 %. "
        f"Real images: {grouped(own.real)}. Distances are measured between {own.features}, to the {NEIGHBOURS}th "
        f"nearest of {grouped(own.reference)} other real images."
    )
    yield Items(list(words.cautions(own)), warning=True)
    scores = list(own.overall.verdicts)
    if not scores:
        return
    header = ["threshold on", "AUROC", "price: real images refused"]
    rows = [[words.SCORES[score], _auroc(own.overall, score), _price(own.overall, score)] for score in scores]
    yield Text("Over all attacks:")
    yield Table(header, rows)
    header = ["attack", "fooling images", *(words.SCORES[score] for score in scores)]
    rows = [[name, str(each.fooling), *(_auroc(each, score) for score in scores)] for name, each in own.attacks.items()]
    yield Text("AUROC by attack:")
    yield Table(header, rows)


def _auroc(judged: DetectionResult, score: str) -> str:
    return f"{judged.verdicts[score].auroc:.3f}" if score in judged.verdicts else "–"


def _price(judged: DetectionResult, score: str) -> str:
    share = judged.verdicts[score].real_refused
    return "–" if share is None else f"{100 * share:.1f} %"
