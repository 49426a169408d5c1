"""How a contract says that it is broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Broken(AssertionError):
    """A contract does not hold; the message is a sentence about the plugin."""


def demand(kept: Any, sentence: str) -> None:
    """Raise `Broken` with a sentence where a promise is not kept."""
    if not kept:
        raise Broken(sentence)


@contextmanager
def trying(where: str = "") -> Iterator[None]:
    """Say as `Broken` what a plugin raises within a ``with`` block, and ``where`` it was: "with 7 genomes"."""
    try:
        yield
    except Broken:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Broken(f"{where} it raised {said}".lstrip()) from error
