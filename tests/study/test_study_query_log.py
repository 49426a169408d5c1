"""The query log of a study: over all sessions, the images that the runs asked for are those that the classifier saw."""

import shutil

from helpers.query_logs import check_study_adds_up, sessions
from helpers.resuming import interrupted
from helpers.studies import STUDY

import fooldeap
from fooldeap.engine.evaluation import Evaluator


def test_the_query_log_adds_up_over_sessions(study, tmp_path):
    check_study_adds_up(study.folder)
    folder = shutil.copytree(study.folder, tmp_path / "study")
    fooldeap.compare(None, "seeds=5", resume=folder, quiet=True)
    check_study_adds_up(folder)
    assert len(sessions(folder)) == 2


def test_a_resumed_session_reads_answers_from_the_journal(study, tmp_path):
    folder = tmp_path / "study"
    with interrupted(Evaluator, "logits", after=10):
        fooldeap.compare(STUDY, out=folder, quiet=True)
    fooldeap.compare(resume=folder, quiet=True)
    (whole,), last = sessions(study.folder), sessions(folder)[-1]
    assert last["journal"] > 0
    assert last["journal"] + last["classifier"] <= whole["classifier"]
    check_study_adds_up(folder)
