"""The sentences of an audit's report and page: summary, explanations, limitations and caveats."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fooldeap import formatting
from fooldeap.audit import detection
from fooldeap.audit.battery import GOAL, LEVELS, Attack
from fooldeap.audit.results import ClassResult, Detection, Findings
from fooldeap.formatting import grouped
from fooldeap.report.model import percent

SCORES = {
    "confidence": "confidence",
    "margin": "margin of the two highest logits",
    "entropy": "entropy",
    "energy": "energy",
    "distance": "distance to real images",
}


NEEDS_GRADIENT = "it needs a gradient, which this classifier does not have"


def level(share: float) -> str:
    """Return a level of confidence in percent, with a non-breaking space: ``99.99 %``."""
    return formatting.level(share).replace(" ", "\u00a0")


def verdict(found: Findings) -> str:
    """Return the result of an audit in one or two sentences."""
    costs = found.lowest_costs(GOAL)
    halfway = len(found.lowest_costs(LEVELS[0]))
    sentence = (
        f"Attacks that do not use gradients reached {len(costs)} of {len(found.classes)} classes with "
        f"{level(GOAL)} confidence, and {halfway} with {level(LEVELS[0])}, within {grouped(found.budget)} evaluations "
        "per class and attack."
    )
    if found.warnings:
        sentence = f"{_doubts(found.warnings)} {sentence}"
    if len(costs) < len(found.classes):
        best = [found.best_confidence(target, white_box=False) for target in found.classes]
        sentence += f" The median over the classes of their best confidence is {percent(statistics.median(best))}."
    if not costs:
        return sentence
    median = grouped(statistics.median(costs))
    return f"{sentence} Over the classes reached with {level(GOAL)}, the median number of evaluations is {median}."


def _doubts(warnings: Sequence[str]) -> str:
    """Return the warnings about the classifier as sentences, and their consequence."""
    listed = " ".join(f"Warning: {text}." for text in warnings)
    return f"{listed} Until this is solved, the numbers say nothing about the robustness of the classifier."


def meanings(found: Findings) -> Iterator[str]:
    """Yield sentences that explain the numbers."""
    yield (
        "An evaluation is one query: an image is shown to the classifier. If the same image already occurred in this "
        "batch or in the previous one, its answer comes from a cache, and the image is not counted again. The numbers "
        f"come from one seed, {found.seed}. Another seed gives other numbers of the same order of magnitude."
    )
    yield (
        "No attack starts from a real image. A class is reached at 99 % when the classifier gives it at least 99 % for "
        "an image of the attack."
    )
    yield from _explain_attacks(found.attacks, len(found.classes))
    if found.detection is not None:
        yield (
            "AUROC is the probability that a real image has a higher score than a fooling image. 1 is perfect "
            "separation and 0.5 is chance. Below 0.5, fooling images score higher than real ones. A threshold that "
            "refuses 95 % of the fooling images refuses some real images, too: their share is the price."
        )


def _explain_attacks(attacks: Sequence[Attack], classes: int) -> Iterator[str]:
    """Yield how the evaluations of attacks are counted, if it is not one run per class with the whole budget."""
    names = defaultdict(list)
    for attack in attacks:
        if attack.charged == "common":
            names["each image counts for every class"].append(attack.name)
        if attack.charged == "shared":
            share = f"the evaluations of the run divided by the number of classes, {classes}"
            names[f"one run pursues all classes, and each class is charged its share, {share}"].append(attack.name)
        if attack.white_box:
            names[
                "white box: it uses gradients of the classifier, which a remote attacker does not have, so it is "
                "listed separately"
            ].append(attack.name)
        if attack.one_part_in > 1:
            names[f"gets the budget divided by {attack.one_part_in}"].append(attack.name)
    for explanation, attack_names in names.items():
        yield f"{', '.join(attack_names)}: {explanation}."


def limits(found: Findings) -> Iterator[str]:
    """Yield the limitations of the audit."""
    for attack, failures in found.failures.items():
        for label, error in failures.items():
            yield f"{attack} failed in {label}; its results until then are counted: {error}."
    yield "A recognisable image is not a fooling image. Look at the images before you count them."
    yield "A class that was not reached is not safe: a larger budget, another seed or another attack may reach it."
    yield (
        "An audit does not test small changes to real images (adversarial examples), and it does not measure accuracy. "
        "A classifier that is easily fooled here may be excellent at its task."
    )
    yield (
        "Fewer evaluations do not always mean a worse classifier. The numbers also depend on the size of the images, "
        "on the number of classes and on what the classes look like. Compare audits only if their classifiers take the "
        "same images and their budgets are equal."
    )
    if found.detection is not None:
        yield (
            "The thresholds were set on known fooling images, and no attack tried to pass them. An attacker that knows "
            "a threshold makes images that pass it. So a threshold works at most as well as these numbers say."
        )
        if found.detection.overall.verdicts and "energy" not in found.detection.overall.verdicts:
            yield "The energy is not listed: the classifier returns probabilities, so all images have the same energy."


def cautions(own: Detection) -> Iterator[str]:
    """Yield how precise the numbers about thresholds are, given the numbers of images."""
    count = own.overall.fooling
    if count < detection.MIN_FOR_THRESHOLD:
        yield (
            f"A threshold needs at least {detection.MIN_FOR_THRESHOLD} fooling images, so none was set. Attack more "
            "classes, or increase the budget."
        )
    else:
        least = f"{math.floor(100 * detection.min_refused(count))} %"
        yield (
            f"The thresholds were set on {grouped(count)} fooling images. With a certainty of 95 %, they refuse at "
            f"least {least} of similar images. The price is a share of {grouped(own.real)} real images, and may be "
            f"wrong by {100 * detection.max_error(own.real):.0f} percentage points."
        )
    yield (
        "An AUROC may be wrong by 1 / √n, where n is the smaller number of images, fooling or real: by "
        f"{detection.max_error(min(count, own.real)):.2f} over all attacks. An AUROC needs at least "
        f"{detection.MIN_FOOLING} fooling images."
    )


def format_cell(found: Findings, result: ClassResult | None, at: float) -> str:
    """Return the evaluations and the attack of a result as a table cell; None: no attack reached the level."""
    if result is None:
        return f"more than {grouped(found.budget)}"
    return f"{grouped(result.images_to[at])} ({result.attack})"
