"""The contracts of executors."""

from typing import Any

from fooldeap.testing.contract import contract
from fooldeap.testing.demands import ContractViolation, demand
from fooldeap.testing.subject import Subject


@contract("executor")
def _returns_results_in_order(subject: Subject) -> None:
    for size in (7, 1, 0):
        results = list(subject.build().map(_square, iter(range(size))))
        expected = [number * number for number in range(size)]
        demand(results == expected, f"for the squares of {size} numbers it returned {results}, expected {expected}")


@contract("executor")
def _raises_errors_of_the_function(subject: Subject) -> None:
    try:
        list(subject.build().map(_fail, [1, 2]))
    except ArithmeticError:
        return
    raise ContractViolation("it hides an error of the function; raise it again")


def _square(number: int) -> int:
    return number * number


def _fail(_: int) -> Any:
    raise ArithmeticError("on purpose")
