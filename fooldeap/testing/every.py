"""What every plugin promises."""

import pickle

from fooldeap.testing.contract import contract
from fooldeap.testing.demands import Broken, demand
from fooldeap.testing.subject import SHAPES, Subject


@contract()
def _is_described(subject: Subject) -> None:
    summary = subject.plugin.summary
    demand(
        summary and not summary.startswith(subject.plugin.name + "("), "it has no docstring; a line says what it does"
    )


@contract()
def _survives_pickling(subject: Subject) -> None:
    built = subject.build(*([SHAPES[0]] if subject.plugin.kind == "genome" else []))
    try:
        pickle.loads(pickle.dumps(built))
    except Exception as error:
        raise Broken(
            f"it cannot be pickled, as workers need it ({error}); define it at the top of its file, and keep nothing "
            "in it but data"
        ) from error
