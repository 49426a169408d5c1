"""YAML with positions: the bounds, the places, what lies over what."""

import pytest

from fooldeap.configuration.document import Document, dotted, from_mapping
from fooldeap.configuration.reading import MAX_DEPTH, MAX_NODES, from_overrides, parse
from fooldeap.errors import InputError


def parsed(text, tmp_path):
    return parse(text, "f.yaml", tmp_path)


def test_every_key_and_value_knows_its_place(tmp_path):
    document = parsed("a: 1\nb:\n  - x\n  - {c: [2]}\n", tmp_path)
    assert document.data == {"a": 1, "b": ["x", {"c": [2]}]}
    assert str(document.values["a",]) == "f.yaml:1:4"
    assert str(document.values["b", 0]) == "f.yaml:3:5"
    assert str(document.values["b", 1, "c", 0]) == "f.yaml:4:10"
    assert str(document.keys["b", 1, "c"]) == "f.yaml:4:6"
    assert {place.folder for place in document.values.values()} == {tmp_path}


def test_an_empty_value_is_placed_at_its_key(tmp_path):
    document = parsed("a:\n\nb: 1\nc:", tmp_path)
    assert document.data == {"a": None, "b": 1, "c": None}
    assert str(document.values["a",]) == "f.yaml:1:1"
    assert str(document.values["c",]) == "f.yaml:4:1"


def test_an_alias_is_placed_at_its_anchor(tmp_path):
    document = parsed("a: &x [1]\nb: *x\n", tmp_path)
    assert document.data == {"a": [1], "b": [1]}
    assert document.data["a"] is not document.data["b"]
    assert str(document.values["b", 0]) == "f.yaml:1:8"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1_000", 1000),
        ("0x10", 16),
        ("010", 10),
        ("1e3", 1000),
        ("-.5", -0.5),
        ("true", True),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ("!!str 1", "1"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2_and_dates_are_text(text, value, tmp_path):
    read = parsed(f"a: {text}", tmp_path).data["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_text_whatever_they_look_like(tmp_path):
    assert parsed("1: a\ntrue: b\nnull: c\n0x1: d", tmp_path).data == {"1": "a", "true": "b", "null": "c", "0x1": "d"}


def test_depth_and_size_are_bounded(tmp_path):
    nested = "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    with pytest.raises(InputError, match=r"^f\.yaml:1:\d+: a: is nested more than 40 levels deep; "):
        parsed(nested, tmp_path)
    assert parsed(nested[:3] + nested[4:-1], tmp_path).data
    with pytest.raises(InputError, match=f"got more than {MAX_NODES} values"):
        parsed("a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * 100 + "]", tmp_path)


def test_an_anchor_may_be_set_anew(tmp_path):
    assert parsed("a: &x 1\nb: &x 2\nc: *x", tmp_path).data == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("a",), "a"),
        (("a", "b"), "a.b"),
        (("a", 1, "b"), "a[1].b"),
        (("a\nb", "c"), r"'a\nb'.c"),
        ((), ""),
    ],
)
def test_paths_are_shown_as_people_write_them(path, text):
    assert dotted(path) == text


def test_a_line_names_the_nearest_place_above(tmp_path):
    document = parsed("a:\n  b: 1\n", tmp_path)
    assert str(document.error(("a", "b"), "wrong")) == "f.yaml:2:6: a.b: wrong"
    assert str(document.error(("a", "b"), "wrong", at_key=True)) == "f.yaml:2:3: a.b: wrong"
    assert str(document.error(("a", "c", "d"), "is missing")) == "f.yaml:2:3: a.c.d: is missing"
    assert str(Document({}).error(("a",), "wrong")) == "a: wrong"


def over(top, bottom):
    return from_mapping(top, "top").merge_onto(from_mapping(bottom, "bottom"))


@pytest.mark.parametrize(
    ("top", "bottom", "merged"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1]}),
        ({"a": None}, {"a": {"b": 1}}, {"a": None}),
        ({"a": "p"}, {"a": {"name": "p", "c": 3}}, {"a": {"name": "p", "c": 3}}),
        ({"a": "q"}, {"a": {"name": "p", "c": 3}}, {"a": "q"}),
        ({"a": {"name": "q"}}, {"a": {"name": "p", "c": 3}}, {"a": {"name": "q"}}),
        ({"a": {"name": "p", "d": 1}}, {"a": {"name": "p", "c": 3}}, {"a": {"name": "p", "c": 3, "d": 1}}),
        ({"a": {"d": 1}}, {"a": "p"}, {"a": {"name": "p", "d": 1}}),
        ({"a.d": 1}, {"a": "p"}, {"a": {"name": "p", "d": 1}}),
    ],
)
def test_a_document_lies_over_another(top, bottom, merged):
    document = over(top, bottom)
    assert document.data == merged
    assert over({}, merged).data == merged


def test_position_of_a_value_is_that_of_its_last_file():
    document = over({"a": {"d": 1}, "r": ["x"]}, {"a": "p", "r": ["y", "z"], "m": {"name": "q", "e": 2}})
    assert str(document.values["a", "d"]) == "top"
    assert str(document.values["a", "name"]) == "bottom"
    assert str(document.values["m", "e"]) == "bottom"
    assert str(document.values["r", 0]) == "top"
    assert ("r", 1) not in document.values
    replaced = over({"m": "other"}, {"m": {"name": "q", "e": 2}})
    assert str(replaced.error(("m", "name"), "wrong")) == "top: m.name: wrong"


def test_overrides_are_yaml_below_a_path(tmp_path):
    document = from_overrides(["a.b={c: [1, x]}", "d=", "e='3'", "f=g=h"])
    assert document.data == {"a": {"b": {"c": [1, "x"]}}, "d": None, "e": "3", "f": "g=h"}
    assert str(document.error(("a", "b", "c", 1), "wrong")) == "command line: a.b.c[1]: wrong"
    with pytest.raises(InputError, match=r"^command line: a\.b: duplicate key; remove one$"):
        from_overrides(["a={b: 1, b: 2}"])
    with pytest.raises(InputError, match=r"^command line: a: merge keys \(<<\) are not supported"):
        from_overrides(["a={<<: {b: 1}}"])
