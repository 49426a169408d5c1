"""What an audit found, as JSON, CSV and Markdown."""

import csv
import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from fooldeap.audit import words
from fooldeap.audit.battery import GOAL, LEVELS
from fooldeap.audit.detection import NEIGHBOURS
from fooldeap.audit.findings import Detection, Findings, Judged, Try
from fooldeap.configuration.writing import as_yaml
from fooldeap.lines import markdown as escaped
from fooldeap.numerals import grouped
from fooldeap.page.sources import Provenance


def data(found: Findings) -> dict[str, Any]:
    """Return all of it as plain data."""
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
                "fooling": each.fooling,
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
    rows: list[list[Any]] = [["attack", "fooling_images", "real_images", "score", "auroc", "threshold", "real_refused"]]
    own = found.detection
    if own is not None:
        for attack, judged in {"all": own.overall, **own.attacks}.items():
            for score, each in judged.verdicts.items():
                rows.append([attack, judged.fooling, own.real, score, each.auroc, each.threshold, each.real_refused])
    return _csv(rows)


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def class_table(found: Findings) -> tuple[list[str], list[list[str]]]:
    """Return the table of classes: the fewest images to each level, and with a look inside to the last."""
    inside = any(attack.white_box for attack in found.attacks)
    head = ["class", *map(words.level, LEVELS), *([f"{words.level(GOAL)} with a look inside"] if inside else [])]
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


def markdown(found: Findings, made: Provenance) -> str:
    """Return the report in Markdown."""
    height, width, channels = found.shape
    parts = [
        f"# Audit of {escaped(found.title)}",
        f"Images of {height} x {width} x {channels}; seed {found.seed}; "
        f"{grouped(found.budget)} images a class and attack. {_real(found)}",
        "## In short",
        words.verdict(found),
        "## Fewest images to fool each class",
        _table(*class_table(found)),
        "## The attacks",
        _listed(f"{attack.name}: {attack.what}" for attack in found.attacks),
        _table(*attack_table(found)),
        *(() if found.real is None else ("## Would a threshold have told?", *_thresholds(found.detection))),
        "## What the figures mean",
        _listed(words.meanings(found)),
        "## What they do not mean",
        _listed(words.limits(found)),
        "## Where it comes from",
        *_origin(found, made),
    ]
    return "\n\n".join(parts) + "\n"


def _real(found: Findings) -> str:
    """Return which real images it had, in a sentence."""
    own = found.real
    if own is None:
        return "No real images to compare with."
    spread = "" if own["taken"] == own["found"] else f" of {grouped(own['found'])}, evenly spread"
    return f"Real images: {escaped(own['source'])}, {grouped(own['taken'])}{spread}; their SHA-256: {own['sha256']}."


def _thresholds(own: Detection | None) -> Iterator[str]:
    """Yield what thresholds were judged on, and the tables of the scores over all attacks and by attack."""
    if own is None:
        yield "There was nothing to tell from real images: no image got 50 % or more for its class."
        return
    yield (
        f"{grouped(own.overall.fooling)} fooling images, the best of each class and attack that got 50 % or more, "
        f"against {grouped(own.real)} real ones. Distances are between {own.features}, to the {NEIGHBOURS}th nearest "
        f"of {grouped(own.reference)} other real images."
    )
    yield _listed(words.cautions(own))
    scores = list(own.overall.verdicts)
    if not scores:
        return
    head = ["threshold on", "AUROC", "real images refused to catch 95 %"]
    rows = [[words.SCORES[score], _auroc(own.overall, score), _price(own.overall, score)] for score in scores]
    yield "Over all attacks:"
    yield _table(head, rows)
    head = ["attack", "fooling images", *(words.SCORES[score] for score in scores)]
    rows = [[name, str(each.fooling), *(_auroc(each, score) for score in scores)] for name, each in own.attacks.items()]
    yield "AUROC by attack:"
    yield _table(head, rows)


def _auroc(judged: Judged, score: str) -> str:
    return f"{judged.verdicts[score].auroc:.3f}" if score in judged.verdicts else "–"


def _price(judged: Judged, score: str) -> str:
    share = judged.verdicts[score].real_refused
    return "–" if share is None else f"{100 * share:.1f} %"


def _origin(found: Findings, made: Provenance) -> Iterator[str]:
    """Yield what the audit was made of and with."""
    yield f"The classifier, whose SHA-256 is {found.digest}:"
    yield textwrap.indent(as_yaml({"classifier": found.classifier}).rstrip(), 4 * " ")
    for table in (made.versions, made.plugins):
        yield _table(table.header, table.rows, left=2)
    if made.forced:
        yield "It was gone on with although things had changed since it was begun:"
        yield _listed(map(escaped, made.forced))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    lines = [head, [*["---"] * left, *["---:"] * (len(head) - left)], *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines)


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {each}" for each in sentences)
