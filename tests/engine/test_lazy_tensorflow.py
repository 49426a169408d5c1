"""The import of TensorFlow: some packages that Keras imports if they are installed are left out."""

import importlib
import subprocess
import sys

import pytest

from fooldeap import lazy_tensorflow


def test_hidden_packages_cannot_be_imported_in_the_block_only():
    with lazy_tensorflow._hidden(("wave", "numpy")):
        with pytest.raises(ImportError):
            importlib.import_module("wave")
        assert importlib.import_module("numpy"), "it was imported before"
    assert importlib.import_module("wave")


@pytest.mark.slow
def test_keras_is_imported_without_pandas_and_matplotlib():
    program = """
import sys
from fooldeap import lazy_tensorflow
lazy_tensorflow.import_keras_without("pandas", "matplotlib")
lazy_tensorflow.tensorflow()
print(sorted({"keras", "pandas", "matplotlib"} & set(sys.modules)))
import matplotlib
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "['keras']\n"
