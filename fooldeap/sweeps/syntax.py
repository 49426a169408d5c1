"""The values of an override such as ``mutation.rate=0.01,0.1``, in the syntax of Hydra."""

import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from fooldeap.configuration.document import COMMAND_LINE
from fooldeap.errors import InputError

_FUNCTION = re.compile(r"\s*(choice|range)\((.*)\)\s*", re.DOTALL)
_OPENING, _CLOSING = "[{(", "]})"
MOST_VALUES = 1000


def is_sweep(word: str) -> bool:
    """Return whether an override ``key=value`` has several values."""
    text = word.partition("=")[2]
    return bool(_FUNCTION.fullmatch(text)) or len(split(text)) > 1


def is_explicit(text: str) -> bool:
    """Return whether a value is ``choice(...)`` or ``range(...)``, which cannot be mistaken for one text."""
    return bool(_FUNCTION.fullmatch(text))


def values(key: str, text: str) -> list[str]:
    """Return the values of a key, each as the text of an override.

    Raises
    ------
    InputError
        A value is missing or given twice, or a range is invalid.
    """
    function = _FUNCTION.fullmatch(text)
    if function and function[1] == "range":
        return list(_range(key, text, split(function[2])))
    found = [part.strip() for part in split(function[2] if function else text)]
    if "" in found:
        raise InputError(f"{COMMAND_LINE}: {key}: got {text!r} with an empty value, expected a value after each comma")
    for index, value in enumerate(found):
        if value in found[:index]:
            raise InputError(f"{COMMAND_LINE}: {key}: got {value!r} twice, expected each value once")
    return found


def split(text: str) -> list[str]:
    """Split a text at its commas. Commas in brackets, braces, parentheses and quotes are left alone.

    If a bracket or a quote is not closed, the text is not split: it is not valid YAML.
    """
    parts, start, depth, quote, before, closed = list[str](), 0, 0, "", ",", -1
    for index, letter in enumerate(text):
        if quote:
            escaped = quote == '"' and (index - len(text[:index].rstrip("\\"))) % 2 == 1
            if letter == quote and not escaped:
                quote, closed = "", index
        elif letter in "'\"" and (before in f",:{_OPENING}" or closed == index - 1):  # inside a word, an apostrophe
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and not depth:
            parts.append(text[start:index])
            start = index + 1
        before = letter if quote or not letter.isspace() else before
    return [text] if quote or depth else [*parts, text[start:]]


def _range(key: str, text: str, parts: list[str]) -> Iterator[str]:
    """Yield the numbers of ``range(stop)``, ``range(start, stop)`` or ``range(start, stop, step)``, without the stop.

    They are computed with decimal digits: ``range(0, 1, 0.1)`` contains 0.3.
    """
    expected = "expected range(start, stop) or range(start, stop, step) with numbers, as range(1, 4) for 1,2,3"
    wrong = InputError(f"{COMMAND_LINE}: {key}: got {text!r}, {expected}")
    try:
        numbers = [Decimal(part.strip()) for part in parts]
    except InvalidOperation:
        raise wrong from None
    if not 1 <= len(numbers) <= 3 or not all(number.is_finite() for number in numbers):
        raise wrong
    start, stop = (Decimal(0), numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Decimal(1)
    count = math.ceil((stop - start) / step) if step else 0
    if not 1 <= count <= MOST_VALUES:
        raise InputError(
            f"{COMMAND_LINE}: {key}: got {text!r}, which has {max(count, 0)} values, expected 1 to {MOST_VALUES}"
        )
    for index in range(count):
        yield f"{start + index * step:f}"
