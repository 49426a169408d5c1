"""The contracts of datasets."""

from dataclasses import astuple

from fooldeap import contract_checks
from fooldeap.plugin import Split
from fooldeap.testing.batches import identical
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand
from fooldeap.testing.subject import Subject


@contract("dataset")
def _loads_valid_images_and_labels(subject: Subject) -> None:
    data = subject.build().load()
    fault = contract_checks.split(data)
    demand(not fault, f"it {fault}")
    most, label = data.train_labels.max(), data.test_labels.max()
    demand(label <= most, f"it has the test label {label}, expected 0 to {most} as in its training labels")


@contract("dataset")
def _is_deterministic(subject: Subject) -> None:
    one, other = (subject.build().load() for _ in range(2))
    demand(identical(_arrays(one), _arrays(other)), "it loads different images or labels the second time")


def _arrays(data: object) -> object:
    return astuple(data) if isinstance(data, Split) else data
