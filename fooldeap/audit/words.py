"""What an audit's figures mean, and what they do not: in sentences, for its page and its report alike."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fooldeap import numerals
from fooldeap.audit import detection
from fooldeap.audit.battery import GOAL, LEVELS, Attack
from fooldeap.audit.findings import Detection, Findings, Try
from fooldeap.numerals import grouped

SCORES = {
    "confidence": "confidence",
    "margin": "margin of the two highest logits",
    "entropy": "entropy",
    "energy": "energy",
    "distance": "distance to real images",
}


def level(share: float) -> str:
    """Return a level of confidence in percent, with a space that does not break: ``99.99 %``."""
    return numerals.level(share).replace(" ", "\u00a0")


def verdict(found: Findings) -> str:
    """Return the outcome in a sentence or two."""
    count = len(found.classes)
    fallen = found.lowest_costs(GOAL)
    halfway = len(found.lowest_costs(LEVELS[0]))
    said = (
        f"Without a look inside, {len(fallen)} of {count} classes were reached with {level(GOAL)} confidence, and "
        f"{halfway} with {level(LEVELS[0])}, in at most {grouped(found.budget)} images a class and attack"
    )
    if fallen:
        said += f"; the median class that was reached took {grouped(statistics.median(fallen))}"
    return said + "."


def meanings(found: Findings) -> Iterator[str]:
    """Yield what the figures mean."""
    yield (
        "An image counts when it was shown to the classifier and was not the same as one just before. The figures are "
        f"those of one seed, {found.seed}: another seed gives others, of the same order."
    )
    yield (
        "No attack begins with a real image. Look at what each came to, and whether it shows you anything. A class "
        "is reached at 99 % when the classifier gave such an image 99 % for it."
    )
    yield from _special(found.attacks, len(found.classes))
    if found.detection is not None:
        yield (
            "AUROC is how often a real image gets the better score than a fooling one: 1 tells them apart, 0.5 is "
            "chance, and below that the fooling ones look more real than real ones. A threshold that refuses 95 % of "
            "the fooling images refuses real ones as well: that share is its price."
        )


def _special(attacks: Sequence[Attack], classes: int) -> Iterator[str]:
    """Yield what is to be known of attacks that are not as the others are."""
    said = defaultdict(list)
    for attack in attacks:
        if attack.charged == "common":
            said["each image is shown once and counts for every class"].append(attack.name)
        if attack.charged == "shared":
            share = f"its share, the images of the run over the number of classes, {classes}"
            said[f"bred for all classes together, so a class is charged {share}"].append(attack.name)
        if attack.white_box:
            said["sees inside the classifier, as nobody at a distance does, so it stands by itself"].append(attack.name)
        if attack.one_part_in > 1:
            said[f"has one part in {attack.one_part_in} of the budget"].append(attack.name)
    for what, names in said.items():
        yield f"{', '.join(names)}: {what}."


def limits(found: Findings) -> Iterator[str]:
    """Yield what the figures do not mean."""
    for attack, failures in found.failures.items():
        for label, why in failures.items():
            yield f"{attack} failed in {label}, and counts as far as it came: {why}."
    yield "An image that looks to you like its class fools nobody: look at the images before you count them."
    yield "A class that was not reached is not safe: a larger budget, another seed or another attack may reach it."
    yield (
        "This is not about small changes to real images (adversarial examples), nor about how often the classifier is "
        "right: a classifier that is easily fooled here may be excellent at what it was made for."
    )
    yield (
        "Fewer images need not mean a worse classifier: how large the images are, how many classes there are and what "
        "they look like matter too. Compare audits of classifiers for the same images, with the same budget."
    )
    if found.detection is not None:
        yield (
            "The thresholds are set where the fooling images are known, and none of these was made to pass them. An "
            "attacker who knows the threshold makes images that do, so these figures are the best case."
        )
        if found.detection.overall.verdicts and "energy" not in found.detection.overall.verdicts:
            yield "There is no energy: the classifier gives probabilities, whose energy is the same for all images."


def cautions(own: Detection) -> Iterator[str]:
    """Yield how far what is said of thresholds can be trusted, by how many images it rests on."""
    count = own.overall.fooling
    if count < detection.FEWEST_CAUGHT:
        yield (
            f"A threshold that refuses 95 % is set on {detection.FEWEST_CAUGHT} fooling images or more: there is none "
            "here. Attack more classes, or with a larger budget."
        )
    else:
        least = f"{math.floor(100 * detection.refuses_at_least(count))} %"
        yield (
            f"The thresholds were set on {grouped(count)} fooling images. Of others like these they refuse at least "
            f"{least}, with 95 % confidence. The price is a share of {grouped(own.real)} real images, and may be off "
            f"by {100 * detection.off_by(own.real):.0f} points of a hundred."
        )
    yield (
        f"An AUROC may be off by one over the root of how many fooling images there are: by "
        f"{detection.off_by(min(count, own.real)):.2f} over all attacks; of fewer than {detection.FEWEST} none is told."
    )


def cell(found: Findings, reached: Try | None, at: float) -> str:
    """Return the images that a class took, as a table shows them, and by which attack."""
    return (
        f"more than {grouped(found.budget)}"
        if reached is None
        else f"{grouped(reached.images_to[at])} ({reached.attack})"
    )
