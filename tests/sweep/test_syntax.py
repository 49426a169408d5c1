"""How values are split, compared with examples of Hydra's documentation and with YAML itself."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fooldeap.errors import InputError
from fooldeap.sweeps import syntax


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2,3", ["1", "2", "3"]),
        ("a, b", ["a", "b"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ("[[1,2],[3]]", ["[[1,2],[3]]"]),
        ("{a:10, b:20},{a:30}", ["{a:10, b:20}", "{a:30}"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("'it''s, this',x", ["'it''s, this'", "x"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        ("don't,do", ["don't", "do"]),
        ("['a,b', c]", ["['a,b', c]"]),
        ("choice(a,[1,2])", ["a", "[1,2]"]),
        ("choice(7)", ["7"]),
        ("range(1,4)", ["1", "2", "3"]),
        ("range(3)", ["0", "1", "2"]),
        ("range(5,1,-2)", ["5", "3"]),
        ("range(0,5,2)", ["0", "2", "4"]),
        ("tournament", ["tournament"]),
    ],
)
def test_values_are_split_as_in_hydra(text, parts):
    assert syntax.values("key", text) == parts


def test_a_range_of_decimals_is_that_of_numpy():
    assert list(map(float, syntax.values("key", "range(0, 1, 0.1)"))) == np.arange(0, 1, 0.1).round(9).tolist()


@pytest.mark.parametrize("text", ["[1,2", "'a,b", "{a: 1,2", "1],2"])
def test_text_with_open_brackets_or_quotes_is_not_split(text):
    assert syntax.split(text) == [text]
    assert not syntax.is_sweep(f"key={text}")


VALUES = st.recursive(
    st.integers() | st.sampled_from(["a", "b c", "it's", "x,y", 'say "hi, you"', "[", "}", ":", ""]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from("abc"), each, max_size=2),
    max_leaves=6,
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_flow_list_of_yaml_is_split_into_its_items(values):
    texts = [json.dumps(each) for each in values]
    assert [YAML(typ="safe").load(part) for part in syntax.split(", ".join(texts))] == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,,2", "got '1,,2' with an empty value, expected a value after each comma"),
        ("1,", "with an empty value"),
        ("a,b,a", "got 'a' twice, expected each value once"),
        ("range(1,2,3,4)", r"expected range\(start, stop\)"),
        ("range(a,4)", r"expected range\(start, stop\)"),
        ("range(4,1)", "which has 0 values, expected 1 to 1000"),
        ("range(1,4,0)", "which has 0 values"),
        ("range(1e9)", "which has 1000000000 values"),
        ("range(nan)", r"expected range\(start, stop\)"),
    ],
)
def test_invalid_values_are_rejected(text, message):
    with pytest.raises(InputError, match=message):
        syntax.values("key", text)
