"""What algorithms promise."""

from fooldeap.errors import FooldeapError
from fooldeap.testing.batches import identical
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import Broken, demand
from fooldeap.testing.evolved import evolved
from fooldeap.testing.subject import Subject


@contract("algorithm")
def _evolves_the_same_for_the_same_seed(subject: Subject) -> None:
    arguments = {"algorithm": subject.choice.data(), "plugins": [subject.plugin.target]}
    try:
        one, other = (evolved(**arguments) for _ in range(2))
    except FooldeapError as error:
        raise Broken(f"on a small classifier, {error}") from error
    for result in one:
        demand(result.generations > 0, "it ends after its first generation")
    alike = all(a.log == b.log and identical(a.image.pixels, b.image.pixels) for a, b in zip(one, other, strict=True))
    demand(alike, "it evolves otherwise for the same seed; draw from rng and the toolbox alone")
