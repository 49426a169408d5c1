"""A small study on the tiny classifier, and the files of its folder that must be bit-identical."""

import fooldeap
from helpers.experiments import KIT

SELECTIONS = {"strong": {"name": "tournament", "size": 6}, "weak": {"name": "tournament", "size": 2}, "none": "random"}
STUDY = {
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 10},
    "vary": {"selection": SELECTIONS},
    "seeds": 3,
    "targets": [0, 2],
    "goal": {"confidence": 0.97},
    "budget": 600,
}
BITS = ("runs.csv", "curves.csv", "summary.json")


def compare(folder, **changes):
    return fooldeap.compare({**STUDY, **changes}, out=folder, quiet=True)


def bits(folder):
    return {name: (folder / name).read_bytes() for name in BITS}
