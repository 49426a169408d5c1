"""What comes by mail, for tests that nothing in it is run: payloads, models, and what must not be shown."""

import contextlib
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fooldeap.errors import InputError
from fooldeap_plugins.classifier.keras import Keras

ESCAPE = "\x1b[2J\x1b]0;owned\x07"  # clears the screen, sets the window's title
CONTROLS = {chr(code) for code in range(160) if code not in range(32, 127)} - {"\n"} | set("\u202e\u2028\u200b")


class Payload:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refused(model):
    """Have a model looked at, and return why it is refused, in one line."""
    with pytest.raises(InputError) as error:
        _ = Keras(model=str(model)).classes
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'keras': model ")
    return message


def plain(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((5, 5, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(3, "softmax")])


def rewritten(keras, path, change):
    """A model file whose configuration is changed."""
    plain(keras).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    configuration = json.loads(parts["config.json"])
    parts["config.json"] = json.dumps(change(configuration)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def layer(part):
    """Return a change of a configuration that puts something in place of the layer Rescaling."""

    def change(configuration):
        configuration["config"]["layers"][1] = part
        return configuration

    return change


def object_arrays(names, marker):
    """A .npz file of pickled objects."""
    content, array = io.BytesIO(), np.empty(1, object)
    array[0] = Payload(marker)
    np.savez(content, **dict.fromkeys(names, array))
    return content.getvalue()


def declared(archive, name, size):
    """Write a part that says it is larger than it is."""
    archive.writestr(name, b"x" * 1000, zipfile.ZIP_DEFLATED)
    archive.getinfo(name).file_size = size


@contextlib.contextmanager
def at_most(*, megabytes):
    """Python's memory at its most within a block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


VARIED = "vary: {selection: [random, tournament]}\n"


def harmless(capfd):
    shown = capfd.readouterr()
    text = shown.out + shown.err
    assert CONTROLS.isdisjoint(text), ascii(text)
    return text


def quoted(text):
    return json.dumps(text)
