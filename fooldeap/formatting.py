"""Figures in print, the same wherever they are shown: in a terminal, on a page, in a report, on a picture."""

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Context, Decimal

_DIGITS = 5  # of a share: three of a percentage


def percent(share: float) -> str:
    """Return a confidence, from 0 to 1, in percent and rounded down: 99.994 %, 50 %, < 0.001 %.

    So what falls short of a goal of 99.99 % is never shown as 99.990 %, and only certainty as 100 %.
    """
    if 0 < share < 10**-_DIGITS:
        return "< 0.001 %"
    down = _exact(share).quantize(Decimal(1).scaleb(-_DIGITS), ROUND_DOWN)
    return f"{down:.3%}".removesuffix("%").removesuffix(".000") + " %"


def rounded_down(share: float, digits: int) -> float:
    """Return a share, from 0 to 1, with so many significant digits, and never more than it was."""
    return float(Context(prec=digits, rounding=ROUND_DOWN).plus(_exact(share)))


def _exact(number: float) -> Decimal:
    # By the digits that Python writes, not by those of the float behind them: .9999 is not to become .99989.
    return Decimal(repr(float(number)))


def level(share: float) -> str:
    """Return a level that somebody chose in percent, with the digits that it has: 99.99 %."""
    return f"{100 * share:.10g} %"


def goal_text(goal: Mapping[str, float]) -> str:
    """Return a goal, by what it is a goal of, in words: 99.99 % confidence."""
    return " or ".join(_GOALS[name](value) for name, value in sorted(goal.items()))


_GOALS: dict[str, Callable[[float], str]] = {
    "confidence": lambda share: f"{level(share)} confidence",
    "score": lambda score: f"a score of {score:g}",
}


def counted(number: int, noun: str) -> str:
    """Return how many of what: 1 image, 15,800 images; for a terminal, which has no narrow spaces."""
    return f"{number:,} {noun if number == 1 else f'{noun}es' if noun.endswith('s') else f'{noun}s'}"


def per_second(count: float, seconds: float) -> float:
    """Return a rate, 0 for unknown where the clock did not advance: some go in steps, and some stand still."""
    return count / seconds if seconds > 0 else 0.0


def grouped(number: float) -> str:
    """Return how many, grouped by narrow spaces: 15\u202f800; infinite ∞."""
    return "∞" if math.isinf(number) else f"{number:,.0f}".replace(",", "\u202f")
