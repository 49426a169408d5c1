"""Numbers and names as the sentences of a study have them."""

from collections.abc import Sequence

from fooldeap.study.findings import Friedman
from fooldeap.study.tables import probability

_NAMED = 5  # of very many in a sentence


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers, three or more in a row as a range: 0–9, 12."""
    if not numbers:
        return "none"
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as in a sentence: a, b and c."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shortened(named: Sequence[str], rest: str = "more") -> Sequence[str]:
    """Return the first of very many names, and how many more there are."""
    return [*named[:_NAMED], f"{len(named) - _NAMED} {rest}"] if len(named) > _NAMED + 1 else named


def p_text(p: float) -> str:
    """Return a p-value as an equation: p = .002, p < .001."""
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def friedman_text(test: Friedman) -> str:
    """Return the result of Friedman's test: χ²(15) = 35.1, p = .002."""
    return f"χ²({test.freedom}) = {test.chi_square:.1f}, {p_text(test.p)}"
