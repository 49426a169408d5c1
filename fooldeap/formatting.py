"""Formats numbers consistently for terminals, pages, reports and pictures, and tables as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Context, Decimal

_DIGITS = 5  # of a share; three digits of a percentage
_LAST_IN_SECONDS = 120  # durations up to this are shown in seconds


def percent(share: float) -> str:
    """Return a confidence, from 0 to 1, in percent and rounded down: 99.994 %, 50 %, < 0.001 %.

    A value below a goal of 99.99 % is therefore never shown as 99.990 %, and only certainty is shown as 100 %.
    """
    if 0 < share < 10**-_DIGITS:
        return "< 0.001 %"
    down = _exact(share).quantize(Decimal(1).scaleb(-_DIGITS), ROUND_DOWN)
    return f"{down:.3%}".removesuffix("%").removesuffix(".000") + " %"


def proportion(share: float) -> str:
    """Return a share of things that were counted, such as an accuracy, in percent: 99.27 %, 16.67 %, 50 %."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def rounded_down(share: float, digits: int) -> float:
    """Return a share, from 0 to 1, rounded down to ``digits`` significant digits."""
    return float(Context(prec=digits, rounding=ROUND_DOWN).plus(_exact(share)))


def _exact(number: float) -> Decimal:
    # Uses the decimal digits that Python prints, not the exact value of the float: .9999 must not become .99989.
    return Decimal(repr(float(number)))


def level(share: float) -> str:
    """Return a configured level in percent with all its digits: 99.99 %."""
    return f"{100 * share:.10g} %"


def class_label(number: int, names: Sequence[str]) -> str:
    """Return the number of a class, followed by its name if it has one: 3, 3: happy."""
    return f"{number}: {names[number]}" if number < len(names) else str(number)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 image, 15,800 images. For terminals, which have no narrow spaces."""
    return f"{number:,} {noun if number == 1 else f'{noun}es' if noun.endswith('s') else f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a duration as text, rounded up: 45 s, 3 min, 2 h 5 min."""
    if seconds <= _LAST_IN_SECONDS:
        return f"{math.ceil(seconds)} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def per_second(count: float, seconds: float) -> float:
    """Return a rate, or 0 if the clock did not advance."""
    return count / seconds if seconds > 0 else 0.0


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def grouped(number: float) -> str:
    """Return a number with groups separated by narrow spaces: 15\u202f800. Infinity is ∞."""
    return "∞" if math.isinf(number) else f"{number:,.0f}".replace(",", "\u202f")
