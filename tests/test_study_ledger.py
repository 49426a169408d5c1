"""The ledger of a study: over all its sessions, what the runs asked about is what the classifier was shown."""

import shutil

import pytest
from ledgers import check_study_adds_up, sessions
from resuming import interrupted
from studies import STUDY

import fooldeap
from fooldeap.engine.evaluation import Evaluator

pytestmark = pytest.mark.usefixtures("undrawn")


def test_the_ledger_adds_up_over_sessions(study, tmp_path):
    check_study_adds_up(study.folder)
    folder = shutil.copytree(study.folder, tmp_path / "study")
    fooldeap.compare(None, "seeds=5", resume=folder, quiet=True)
    check_study_adds_up(folder)
    assert len(sessions(folder)) == 2


def test_what_an_interrupted_session_had_is_from_the_journal(study, tmp_path):
    folder = tmp_path / "study"
    with interrupted(Evaluator, "logits", after=10):
        fooldeap.compare(STUDY, out=folder, quiet=True)
    fooldeap.compare(resume=folder, quiet=True)
    (whole,), last = sessions(study.folder), sessions(folder)[-1]
    assert last["journal"] > 0
    assert last["journal"] + last["classifier"] <= whole["classifier"]
    check_study_adds_up(folder)
