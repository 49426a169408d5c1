"""The ledger of a study: over all its sessions, what the runs asked about is what the classifier was shown."""

import pytest
from ledgers import check_study_adds_up, sessions
from test_study import STUDY

import fooldeap

pytestmark = pytest.mark.usefixtures("undrawn")


def test_the_ledger_adds_up_over_sessions(tmp_path):
    folder = fooldeap.compare(STUDY, out=tmp_path / "study", quiet=True).folder
    check_study_adds_up(folder)
    fooldeap.compare(None, "seeds=5", resume=folder, quiet=True)
    check_study_adds_up(folder)
    assert len(sessions(folder)) == 2


def test_what_an_interrupted_session_had_is_from_the_journal(tmp_path, monkeypatch):
    first = fooldeap.compare(STUDY, out=tmp_path / "whole", quiet=True).folder
    folder = interrupted(tmp_path / "study", monkeypatch)
    fooldeap.compare(resume=folder, quiet=True)
    (whole,), last = sessions(first), sessions(folder)[-1]
    assert last["journal"] > 0
    assert last["journal"] + last["classifier"] <= whole["classifier"]
    check_study_adds_up(folder)


def interrupted(folder, monkeypatch):
    """Begin the study, and interrupt it after ten batches."""
    from fooldeap.evaluation import Evaluator

    asked, calls = Evaluator.logits, iter(range(10))

    def ask(evaluator, batches):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return asked(evaluator, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "logits", ask)
        with pytest.raises(KeyboardInterrupt):
            fooldeap.compare(STUDY, out=folder, quiet=True)
    return folder
