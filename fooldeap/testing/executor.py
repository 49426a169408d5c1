"""What executors promise."""

from typing import Any

from fooldeap.testing.contract import contract
from fooldeap.testing.demands import Broken, demand
from fooldeap.testing.subject import Subject


@contract("executor")
def _gives_the_results_in_order(subject: Subject) -> None:
    for size in (7, 1, 0):
        results = list(subject.build().map(_square, iter(range(size))))
        expected = [number * number for number in range(size)]
        demand(results == expected, f"for the squares of {size} numbers it gave {results}, expected {expected}")


@contract("executor")
def _lets_errors_through(subject: Subject) -> None:
    try:
        list(subject.build().map(_fail, [1, 2]))
    except ArithmeticError:
        return
    raise Broken("an error of the function that it is handed is lost; let it through")


def _square(number: int) -> int:
    return number * number


def _fail(_: int) -> Any:
    raise ArithmeticError("on purpose")
