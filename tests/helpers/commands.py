"""The command line, called in this process."""

import pytest

from fooldeap import cli


def call(*words):
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(list(map(str, words)))
    return exit_.value.code
