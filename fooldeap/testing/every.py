"""The contracts of all plugins."""

import pickle

from fooldeap.testing.contract import contract
from fooldeap.testing.demands import ContractViolation, demand
from fooldeap.testing.subject import SHAPES, Subject


@contract()
def _has_a_docstring(subject: Subject) -> None:
    summary = subject.plugin.summary
    demand(
        summary and not summary.startswith(subject.plugin.name + "("), "it has no docstring; describe it in one line"
    )


@contract()
def _can_be_pickled(subject: Subject) -> None:
    built = subject.build(*([SHAPES[0]] if subject.plugin.kind == "genome" else []))
    try:
        pickle.loads(pickle.dumps(built))
    except Exception as error:
        raise ContractViolation(
            f"it cannot be pickled for workers ({error}); define it at the top of its file, and store only data in it"
        ) from error
