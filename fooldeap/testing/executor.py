"""The contracts of executors."""

import contextlib
from collections.abc import Iterator
from typing import Any

from fooldeap.testing.contract import contract
from fooldeap.testing.demands import ContractViolation, demand
from fooldeap.testing.subject import Subject


@contract("executor")
def _returns_results_in_order(subject: Subject) -> None:
    with _open(subject) as executor:
        for size in (7, 1, 0):
            results = list(executor.map(_square, iter(range(size))))
            expected = [number * number for number in range(size)]
            demand(results == expected, f"for the squares of {size} numbers it returned {results}, expected {expected}")


@contract("executor")
def _raises_errors_of_the_function(subject: Subject) -> None:
    with _open(subject) as executor:
        try:
            list(executor.map(_fail, [1, 2]))
        except Exception as error:
            if "on purpose" in str(error):  # an error from another process may have another type
                return
    raise ContractViolation("it hides an error of the function; raise it again")


@contextlib.contextmanager
def _open(subject: Subject) -> Iterator[Any]:
    executor = subject.build()
    try:
        yield executor
    finally:
        getattr(executor, "close", str)()  # some faulty plugins have no such method


def _square(number: int) -> int:
    return number * number


def _fail(_: int) -> Any:
    raise ArithmeticError("on purpose")
