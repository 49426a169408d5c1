"""The forms of ``--workers`` and of ``workers`` in Python: a number, or another executor."""

import pytest
from helpers.commands import call

from fooldeap.cli.options import parse_workers
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.plugin import Executor, dataclass, executor


@pytest.mark.parametrize(
    ("workers", "chosen"),
    [
        (4, {"name": "scoop", "workers": 4}),
        ("4", {"name": "scoop", "workers": 4}),
        ("auto", {"name": "scoop", "workers": "auto"}),
        ("farm", {"name": "farm"}),
        ("farm:4", {"name": "farm", "workers": 4}),
        ("farm:auto", {"name": "farm", "workers": "auto"}),
        ("farm://host:8786", {"name": "farm", "scheduler": "tls://host:8786"}),
        ("farm://[::1]:8786", {"name": "farm", "scheduler": "tls://[::1]:8786"}),
    ],
)
def test_workers_chooses_the_executor(workers, chosen):
    assert config.executor_for(workers) == {"executor": chosen}
    assert config.executor_for(workers, mode="runs") == {"executor": {**chosen, "mode": "runs"}}


@pytest.mark.parametrize(
    "text", ["0", "-3", "3.5", "", "farm:", "farm:0", "farm:x", "farm://", "a b", "farm://a/b", ":4"]
)
def test_other_forms_are_refused_in_one_line(text, capsys):
    with pytest.raises(InputError, match=r"^workers: got .*, expected a number of at least 1, auto, or an executor"):
        config.executor_for(text)
    assert call("run", f"--workers={text}") == 2
    assert capsys.readouterr().err.startswith("fooldeap: --workers: got ")


def test_unknown_executor_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "x.yaml").write_text("seed: 1\n")
    assert call("run", tmp_path / "x.yaml", "--workers", "scop") == 2
    assert "no executor is named 'scop'; did you mean 'scoop'?" in capsys.readouterr().err


def test_launcher_of_an_executor_is_the_default(monkeypatch):
    @executor("launched")
    @dataclass
    class Launched(Executor):
        """An executor with a launcher."""

        @staticmethod
        def is_launched():
            return True

    assert parse_workers(None) is None
    known = config.registries.load()
    known.include(Launched)
    monkeypatch.setattr("fooldeap.registry.load", lambda: known)
    assert parse_workers(None) == "launched"
