"""What an audit found, as JSON, CSV and Markdown."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from fooldeap.audit import words
from fooldeap.audit.battery import GOAL, LEVELS
from fooldeap.audit.detection import NEIGHBOURS
from fooldeap.audit.findings import Findings, Try
from fooldeap.lines import markdown as escaped
from fooldeap.numerals import grouped

DATA = "audit.json"


def data(found: Findings) -> dict[str, Any]:
    """Return all of it as plain data."""
    return {
        "classifier": found.classifier,
        "digest": found.digest,
        "shape": list(found.shape),
        "seed": found.seed,
        "budget": found.budget,
        "verdict": words.verdict(found),
        "classes": [_class(found, target) for target in found.classes],
        "attacks": [
            {
                "name": attack.name,
                "what": attack.what,
                "white_box": attack.white_box,
                "budget": attack.budget,
                "images": found.shown[attack.name],
                "seconds": found.seconds[attack.name],
                "reached": {str(level): len(found.costs(attack.name, level)) for level in LEVELS},
            }
            for attack in found.attacks
        ],
        "thresholds": None if found.detection is None else asdict(found.detection),
    }


def _class(found: Findings, target: int) -> dict[str, Any]:
    own = [found.of(attack.name, target) for attack in found.attacks]
    return {
        "class": target,
        "name": found.names[target],
        "fewest": {str(level): _fewest(found.fewest(target, level), level) for level in LEVELS},
        "fewest_with_gradient": {
            str(level): _fewest(found.fewest(target, level, white_box=True), level) for level in LEVELS
        },
        "attacks": {
            each.attack: {
                "predicted": each.predicted,
                "confidence": each.confidence,
                "images_to": {str(level): count for level, count in each.images_to.items()},
                "image": f"attacks/{each.attack}/images/{target}.png",
            }
            for each in own
            if each is not None
        },
    }


def _fewest(reached: Try | None, level: float) -> dict[str, Any] | None:
    return None if reached is None else {"images": reached.images_to[level], "attack": reached.attack}


def classes_csv(found: Findings) -> str:
    """Return a row a class and attack: the images to each level, empty where it was not reached."""
    head = ["class", "attack", *(f"images_to_{100 * level:.10g}" for level in LEVELS), "predicted", "confidence"]
    rows = [
        [
            each.target,
            each.attack,
            *(each.images_to.get(level, "") for level in LEVELS),
            each.predicted,
            each.confidence,
        ]
        for each in found.tries
    ]
    return _csv([head, *rows])


def thresholds_csv(found: Findings) -> str:
    """Return a row an attack and score; ``all`` is over all attacks."""
    rows: list[list[Any]] = [["attack", "fooling_images", "score", "auroc", "threshold", "real_refused"]]
    if found.detection is not None:
        for attack, verdicts in found.detection.verdicts.items():
            for score, each in verdicts.items():
                count = found.detection.fooling[attack]
                rows.append([attack or "all", count, score, each.auroc, each.threshold, each.real_refused])
    return _csv(rows)


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def class_table(found: Findings) -> tuple[list[str], list[list[str]]]:
    """Return the table of classes: the fewest images to each level, and with a look inside to the last."""
    inside = any(attack.white_box for attack in found.attacks)
    head = ["class", *map(words.level, LEVELS), *([f"{words.level(GOAL)} by gradient"] if inside else [])]
    rows = []
    for target in found.classes:
        cells = [words.cell(found, found.fewest(target, level), level) for level in LEVELS]
        if inside:
            best = found.fewest(target, GOAL, white_box=True)
            cells.append("not reached" if best is None else grouped(best.images_to[GOAL]))
        rows.append([found.names[target], *cells])
    return head, rows


def attack_table(found: Findings) -> tuple[list[str], list[list[str]]]:
    """Return the table of attacks: how many classes each reached, the median of these, and what it took."""
    head = ["attack", *(f"reached {words.level(level)}" for level in LEVELS), "images shown", "seconds"]
    rows = []
    for attack in found.attacks:
        reached = [f"{len(found.costs(attack.name, level))} of {len(found.classes)}" for level in LEVELS]
        spent = [grouped(found.shown[attack.name]), f"{found.seconds[attack.name]:.1f}"]
        rows.append([attack.name, *reached, *spent])
    return head, rows


def threshold_tables(found: Findings) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield a caption, head and rows: the scores over all attacks, and the AUROC of each by attack."""
    detection = found.detection
    if detection is None:
        return
    everything = detection.verdicts[""]
    rows = [
        [words.SCORES[score], f"{each.auroc:.3f}", f"{100 * each.real_refused:.1f} %"]
        for score, each in everything.items()
    ]
    yield "over all attacks", ["threshold on", "AUROC", "real images refused to catch 95 %"], rows
    head = ["attack", "fooling images", *(words.SCORES[score] for score in everything)]
    rows = [
        [name, str(detection.fooling[name]), *(f"{each.auroc:.3f}" for each in verdicts.values())]
        for name, verdicts in detection.verdicts.items()
        if name
    ]
    yield "AUROC by attack", head, rows


def markdown(found: Findings) -> str:
    """Return the report in Markdown."""
    height, width, channels = found.shape
    parts = [
        f"# Audit of {escaped(found.title)}",
        words.verdict(found),
        f"Images of {height} x {width} x {channels}; seed {found.seed}; "
        f"{grouped(found.budget)} images a class and attack.",
        "## Fewest images to fool each class",
        _table(*class_table(found)),
        "## The attacks",
        _listed(f"{attack.name}: {attack.what}" for attack in found.attacks),
        _table(*attack_table(found)),
    ]
    if found.detection is not None:
        parts.append("## Would a threshold have told?")
        parts.append(judged(found))
        for caption, head, rows in threshold_tables(found):
            parts += [f"{caption[0].upper()}{caption[1:]}:", _table(head, rows)]
    parts += ["## What the figures mean", _listed(words.meanings(found))]
    parts += ["## What they do not mean", _listed(words.limits(found))]
    return "\n\n".join(parts) + "\n"


def judged(found: Findings) -> str:
    """Return what the thresholds were judged on, in a sentence."""
    detection = found.detection
    if detection is None:
        return ""
    return (
        f"{detection.fooling['']} fooling images, the best of each class and attack that got 50 % or more, against "
        f"{detection.real} real ones. Distances are between {detection.features}, to the {NEIGHBOURS}th nearest of "
        f"{detection.reference} other real images."
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines)


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {each}" for each in sentences)
