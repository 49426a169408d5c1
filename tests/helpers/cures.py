"""Applies the cure in a message about a classifier as it is written, and compares the confidence with the model's own.

A case builds a model that fails, with its own forward pass on uint8 images (n, h, w, c). `check` takes the cure from
the message, applies it, and compares the confidence of the image that was found with the forward pass.
"""

import re
import warnings
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

import fooldeap
from fooldeap.errors import FooldeapError, FooldeapWarning

SHAPE = (8, 6, 3)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 0.01, (144, 4)).astype(np.float32)
FEW = {"stop": {"confidence": 0.9, "evaluations": 64}, "quiet": True}


class Made(NamedTuple):
    """A model in memory or settings that name its file, its own forward pass, and further settings."""

    model: Any
    forward: Any
    settings: Any = MappingProxyType({})
    arguments: Any = MappingProxyType({})


def fooled(made, settings):
    named = isinstance(made.model, dict)
    model = {**made.model, **settings} if named else made.model
    given = {} if named else {"classifier": settings}
    return fooldeap.fool(model, 1, **FEW, **given, **made.arguments)[1]


def message_of(made, settings):
    """Return the error about a model, or the warning about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FooldeapWarning)
        try:
            fooled(made, settings)
            (text,) = [str(each.message) for each in caught if issubclass(each.category, FooldeapWarning)]
        except FooldeapError as error:
            text = str(error)
    assert "\n" not in text
    return text


def cured(message, cure, settings, filled):
    """Return the settings after a cure, "key: value" or "leave 'key' out", as the message words it."""
    assert cure in message, message
    if cure.startswith("leave"):
        left = re.findall("'(.*?)'", cure)
        assert set(left) <= settings.keys()
        return {key: value for key, value in settings.items() if key not in left}
    assert f"got '{cure}'" not in message
    for name, value in filled.items():
        cure = cure.replace(name, str(value))
    return {**settings, **yaml.safe_load(cure)}


def agrees(made, settings):
    image = fooled(made, settings)
    (own,) = np.asarray(made.forward(image.image.pixels[None]), np.float64)
    assert image.confidence == pytest.approx(own[1], abs=1e-5)
    assert image.predicted == own.argmax()


def check(made, *cures, **filled):
    """Apply cures one after the other, each from the message that is then given."""
    settings = made.settings
    for cure in cures:
        settings = cured(message_of(made, settings), cure, settings, filled)
    agrees(made, settings)
