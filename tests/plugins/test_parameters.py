"""Parameters are what signatures say: told in words, taken or refused strictly, shown as YAML."""

import math
from typing import Any, Literal

import pytest

from fooldeap.parameters import Parameter, shown
from fooldeap.plugin import Annotated, File, Ge, Gt, Interval, Le, Len, mutation, plugin_of


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "an integer"),
        (float, "a number"),
        (str, "text"),
        (bool, "true or false"),
        (Any, "any value"),
        (File, "text"),
        (int | None, "an integer or null"),
        (Annotated[int, Ge(2)], "an integer >= 2"),
        (Annotated[float, Gt(0), Le(1)], "a number > 0 and <= 1"),
        (Annotated[float, Interval(ge=0, lt=5)], "a number >= 0 and < 5"),
        (Annotated[int, Le(1_000_000)], "an integer <= 1000000"),
        (Annotated[str, Len(1)], "text of at least 1 character"),
        (Literal["auto", "logits"], "one of auto, logits"),
        (Literal["auto", None], "one of auto, null"),
        (Literal["all"] | int, '"all" or an integer'),
        (Literal["all"] | int | list[int], '"all", an integer or a list, each an integer'),
        (list[str] | None, "null or a list, each text"),
        (tuple[int, ...], "a list, each an integer"),
        (Annotated[list[int], Len(1)], "a list of at least 1, each an integer"),
        (Annotated[list[int], Len(1, 3)], "a list of 1 to 3, each an integer"),
        (tuple[int, str], "a list of 2: an integer, text"),
        (tuple[Literal[0], Literal[1]] | tuple[Literal[-1], Literal[1]], "[0, 1] or [-1, 1]"),
        (dict[str, float], "a mapping"),
    ],
)
def test_types_are_described_in_words(annotation, words):
    assert Parameter("x", annotation).expected == words


@pytest.mark.parametrize(
    ("annotation", "value", "parsed"),
    [
        (int, 1, 1),
        (float, 1, 1.0),
        (float, 0.5, 0.5),
        (tuple[int, int], [1, 2], (1, 2)),
        (tuple[int, ...], (1, 2, 3), (1, 2, 3)),
        (float | None, None, None),
        (bool, False, False),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (int, 10**400, 10**400),
    ],
)
def test_values_are_taken(annotation, value, parsed):
    taken = Parameter("x", annotation).parse(value)
    assert taken == parsed
    assert type(taken) is type(parsed)


@pytest.mark.parametrize(
    ("annotation", "value", "told"),
    [
        (int, "1", 'got "1", expected an integer'),
        (int, True, "got true, expected an integer"),
        (int, 1.0, "got 1.0, expected an integer"),
        (float, "1", 'got "1", expected a number'),
        (float, True, "got true, expected a number"),
        (float, math.nan, "got .nan, expected a finite number"),
        (float | None, math.inf, "got .inf, expected a finite number or null"),
        (Annotated[float, Gt(0)], -math.inf, "got -.inf, expected a finite number > 0"),
        (str, 1, "got 1, expected text"),
        (str, None, "got null, expected text"),
        (bool, 1, "got 1, expected true or false"),
        (bool, "true", 'got "true", expected true or false'),
        (tuple[int, int], [1], "got [1], expected a list of 2: an integer, an integer"),
        (list[int], [1, True], "got [1, true], expected a list, each an integer"),
        (Literal["a", "b"], "c", 'got "c", expected one of a, b'),
        (int, object, "got \"<class 'object'>\", expected an integer"),
    ],
)
def test_values_are_refused(annotation, value, told):
    with pytest.raises(ValueError, match=r"^got") as refused:
        Parameter("x", annotation).parse(value)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ([1, "é"], '[1, "é"]'),
        ("a\nb\x07\u202e", r'"a\nb\u0007\u202e"'),
        ("x" * 100, '"' + "x" * 56 + "..."),
        (math.inf, ".inf"),
    ],
)
def test_values_are_shown_as_yaml_and_short(value, text):
    assert shown(value) == text


def test_positional_parameters_are_the_callers():
    @mutation("given")
    def given(genomes, rng, *, a: int = 1, b: int):
        """Give."""

    assert list(plugin_of(given).parameters) == ["a", "b"]
