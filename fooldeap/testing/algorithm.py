"""The contract of algorithms."""

from fooldeap.errors import FooldeapError
from fooldeap.testing.batches import identical
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import ContractViolation, demand
from fooldeap.testing.evolved import run_experiment
from fooldeap.testing.subject import Subject


@contract("algorithm")
def _is_deterministic(subject: Subject) -> None:
    arguments = {"algorithm": subject.choice.data(), "plugins": [subject.plugin.target]}
    try:
        one, other = (run_experiment(**arguments) for _ in range(2))
    except FooldeapError as error:
        raise ContractViolation(f"with a small classifier, {error}") from error
    for result in one:
        demand(result.generations > 0, "it ends after the first generation; yield more genomes")
    same = all(a.log == b.log and identical(a.image.pixels, b.image.pixels) for a, b in zip(one, other, strict=True))
    demand(same, "it evolves different images for the same seed; draw from rng and the toolbox only")
