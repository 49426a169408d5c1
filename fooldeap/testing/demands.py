"""The error of a broken contract, and helpers that raise it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class ContractViolation(AssertionError):
    """A plugin breaks a contract; the message is a sentence about the plugin."""


def demand(kept: Any, sentence: str) -> None:
    """Raise `ContractViolation` with a sentence unless the rule is kept."""
    if not kept:
        raise ContractViolation(sentence)


@contextmanager
def trying(where: str = "") -> Iterator[None]:
    """Convert an error of a plugin in a ``with`` block to `ContractViolation`.

    ``where`` says when it occurred, such as "with 7 genomes".
    """
    try:
        yield
    except ContractViolation:
        raise
    except (Exception, SystemExit) as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise ContractViolation(f"{where} it raised {message}".lstrip()) from error
