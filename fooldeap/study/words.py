"""Format numbers and names for the sentences of a study."""

from collections.abc import Sequence

from fooldeap.study.analysis_types import Friedman
from fooldeap.study.tables import probability

_NAMED = 5  # names in a sentence before the rest is counted


def format_ranges(numbers: Sequence[int]) -> str:
    """Format ascending integers; three or more consecutive ones become a range: 0–9, 12."""
    if not numbers:
        return "none"
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)


def join_names(names: Sequence[str], last: str = "and") -> str:
    """Join names for a sentence: a, b and c."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shorten(named: Sequence[str], rest: str = "more") -> Sequence[str]:
    """Shorten a long list of names to the first ones and the number of the others: [a, b, c, d, e, 7 more]."""
    return [*named[:_NAMED], f"{len(named) - _NAMED} {rest}"] if len(named) > _NAMED + 1 else named


def p_text(p: float) -> str:
    """Format a p-value as an equation: p = .002, p < .001."""
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def friedman_text(test: Friedman) -> str:
    """Format the result of Friedman's test: χ²(15) = 35.1, p = .002."""
    return f"χ²({test.freedom}) = {test.chi_square:.1f}, {p_text(test.p)}"
