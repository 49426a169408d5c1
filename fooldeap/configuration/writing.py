"""Writes configurations as YAML that can be read again within the limits of `fooldeap.configuration.reading`."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from fooldeap.configuration.reading import MAX_BYTES, MAX_DEPTH, MAX_NODES
from fooldeap.errors import InputError

_CURE = "the limit for resuming; shorten its lists, or vary fewer keys"


def as_yaml(data: Any) -> str:
    """Return plain data as YAML. The order of keys is kept.

    Raises
    ------
    InputError
        The YAML would exceed the limits of a file that can be read.
    """
    check_size(data)
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump(data, text)
    size = len(text.getvalue().encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InputError(f"the resolved configuration has {size:,} bytes, expected at most {MAX_BYTES:,}, {_CURE}")
    return text.getvalue()


def check_size(data: Any) -> None:
    """Check the number of values and the depth of data.

    Raises
    ------
    InputError
        The data exceeds the limits of a file that can be read.
    """
    count = values_in(data)
    if count > MAX_NODES:
        raise InputError(f"the resolved configuration has {count:,} values, expected at most {MAX_NODES:,}, {_CURE}")
    if any(depth > MAX_DEPTH for depth in _depths(data, 0)):
        message = f"the resolved configuration is nested more than {MAX_DEPTH} levels deep, the limit for resuming"
        raise InputError(f"{message}; nest fewer plugins")


def values_in(data: Any) -> int:
    """Return the number of values in plain data, as counted when it is read."""
    return sum(1 for _ in _depths(data, 0))


def _depths(value: Any, depth: int) -> Iterator[int]:
    """Yield the depth of a value and of all values in it."""
    yield depth
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for inner in inside:
        yield from _depths(inner, depth + 1)
