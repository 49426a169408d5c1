"""The journal: what comes back, what a killed process leaves, what damage is."""

import time

import numpy as np
import pytest

from fooldeap.errors import InputError
from fooldeap.storage.journal import WRITE_SECONDS, Answer, Journal

OWNER = {"seed": 1, "experiment": "abc"}


def answer(rows, seed=0, gradient=False):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, 3)).astype(np.float32)
    return Answer(rng.bytes(16), logits, rng.normal(size=(rows, 4)).astype(np.float32) if gradient else None)


def written(path, answers):
    journal = Journal(path, OWNER)
    for each in answers:
        journal.write_answer(each)
    journal.close()
    return path.read_bytes()


def read(path):
    """Return (the journal, read to its end and still open; its answers)."""
    journal, answers = Journal(path, OWNER), []
    try:
        while (each := journal.next_answer()) is not None:
            answers.append(each)
    except InputError:
        journal.close()
        raise
    return journal, answers


def same(one, other):
    gradients = (one.gradient is None) == (other.gradient is None)
    if gradients and one.gradient is not None:
        gradients = np.array_equal(one.gradient, other.gradient)
    return one.digest == other.digest and np.array_equal(one.logits, other.logits) and gradients


def test_journal_reads_back_what_was_written(tmp_path):
    answers = [answer(5), answer(0, 1), answer(2, 2, gradient=True)]
    written(tmp_path / "a", answers)
    journal, found = read(tmp_path / "a")
    assert all(map(same, answers, found))
    assert len(found) == 3
    assert not journal.replaying
    journal.close()


def test_reading_changes_nothing(tmp_path):
    before = written(tmp_path / "a", [answer(3)])
    read(tmp_path / "a")[0].close()
    assert (tmp_path / "a").read_bytes() == before


def test_cut_journal_continues_from_the_last_whole_record(tmp_path):
    answers = [answer(3, seed) for seed in range(3)]
    whole = written(tmp_path / "whole", answers)
    for length in range(len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:length])
        journal, found = read(path)
        assert all(map(same, answers, found))
        for each in answers[len(found) :]:
            journal.write_answer(each)
        journal.close()
        assert path.read_bytes() == whole, length


@pytest.mark.parametrize("zeros", [1, 7, 4096, 200_000])
def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path, zeros):
    whole = written(tmp_path / "a", [answer(3), answer(3, 1)])
    (tmp_path / "a").write_bytes(whole + bytes(zeros))
    journal, found = read(tmp_path / "a")
    journal.close()
    assert len(found) == 2
    assert (tmp_path / "a").read_bytes() == whole


def test_another_file_is_not_taken_for_a_torn_journal(tmp_path):
    (tmp_path / "a").write_bytes(b"root:x:0:0:root\n" * 5000)
    with pytest.raises(InputError, match="damaged at byte 0"):
        Journal(tmp_path / "a", OWNER)
    assert (tmp_path / "a").stat().st_size == 80_000


def test_damage_in_the_middle_is_named(tmp_path):
    whole = bytearray(written(tmp_path / "a", [answer(3), answer(3, 1)]))
    for place in (10, len(whole) // 2):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / "b").write_bytes(damaged)
        with pytest.raises(InputError, match="damaged at byte"):
            read(tmp_path / "b")


def test_an_end_by_the_clock_is_recorded(tmp_path):
    journal = Journal(tmp_path / "a", OWNER)
    journal.write_answer(answer(2))
    journal.write_end("seconds")
    journal.close()
    journal, found = read(tmp_path / "a")
    assert len(found) == 1
    assert journal.replaying
    assert journal.recorded_end() == "seconds"
    journal.close()


def test_journal_of_another_run_is_refused(tmp_path):
    written(tmp_path / "a", [answer(2)])
    with pytest.raises(InputError, match=r"seed has changed \(was 1, is 2\)"):
        Journal(tmp_path / "a", {**OWNER, "seed": 2})


def test_answers_are_written_within_a_moment(tmp_path):
    journal = Journal(tmp_path / "a", OWNER)
    journal.write_answer(answer(2))
    time.sleep(1.5 * WRITE_SECONDS)
    journal.write_answer(answer(2, seed=1))  # as a slow classifier does: each answer is written when it comes
    killed = (tmp_path / "a").read_bytes()  # what is there if the process ends now
    journal.close()
    assert killed == (tmp_path / "a").read_bytes()
