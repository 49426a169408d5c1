"""A journal that was cut short anywhere: what is whole of it is used, the rest is evaluated again to the same bits."""

import struct

import numpy as np
import pytest
from failing import Small, sample
from helpers.experiments import tiny
from helpers.query_logs import answered

from fooldeap.runs.experiment_session import ExperimentSession

pytestmark = pytest.mark.slow

ALGORITHMS = {
    "generational": {"population": 8},
    "steady_state": {"population": 8, "children": 4},
    "deap_simple": {"population": 8},
    "ascent": {},  # four images a generation, each with its gradient
    "tiny_map_elites": {"batch": 8},
}
PLAIN = {"stop": {"evaluations": 60, "confidence": None}, "reporters": []}


def records(content):
    """Return where the records of a journal begin, and where the last one ends."""
    places = [0]
    while places[-1] < len(content):
        places.append(places[-1] + 8 + struct.unpack_from("<I", content, places[-1])[0])
    return places


def evolved(prepared, folder):
    """Evolve the runs of an experiment by their journals, and return all that is promised to the bit."""
    ended = sorted(prepared.evolve(prepared.runs, folder), key=lambda each: each.info)
    results = [result for each in ended for result in each.results]
    answers = {path.stem: answered(path.read_bytes()) for path in folder.glob("*.journal")}
    assert all(each.evaluations <= 60 for each in results if each.stopped == "evaluations")
    assert all(answers[each.info.label] == each.results[0].evaluations for each in ended), "each image once on record"
    found = [(each.target, each.evaluations, each.score, each.log, each.image.pixels.tobytes()) for each in results]
    return found, {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_cut_at_every_byte_of_its_last_three_records(tmp_path, algorithm):
    experiment = tiny(algorithm={"name": algorithm, **ALGORITHMS[algorithm]}, targets=[0, 1], **PLAIN)
    prepared = ExperimentSession(experiment, rows=64)
    (tmp_path / "journal").mkdir()
    expected = evolved(prepared, tmp_path / "journal")
    path = next((tmp_path / "journal").iterdir())
    whole = path.read_bytes()
    for length in sample(range(records(whole)[-4], len(whole)), 100, algorithm):
        path.write_bytes(whole[:length])
        shown = prepared.answered
        assert evolved(prepared, tmp_path / "journal") == expected, length
        assert 0 < prepared.answered - shown <= 60, "only what is missing is asked again"


def test_a_folder_whose_journal_is_cut_resumes_to_the_same_files(tmp_path):
    small = Small(tmp_path)
    name = next((small.whole / "journal").iterdir()).name
    whole = (small.whole / "journal" / name).read_bytes()
    for length in sample(range(records(whole)[-4], len(whole)), 40, "folder"):
        path = small.unfinished(tmp_path / f"{length}", share=1)
        (path / "journal" / name).write_bytes(whole[:length])
        small.check_ends_well(path)


def test_an_end_by_the_clock_that_is_cut_is_decided_again(tmp_path):
    """Nothing but the file knew of it: the run is as if it had been killed just before."""
    stop = {"evaluations": None, "confidence": None, "seconds": 0.05, "generations": 100_000}
    prepared = ExperimentSession(tiny(targets=[0], stop=stop, reporters=[]), rows=64)
    (tmp_path / "journal").mkdir()
    evolved(prepared, tmp_path / "journal")
    path = next((tmp_path / "journal").iterdir())
    whole = path.read_bytes()
    assert whole.endswith(b"Eseconds")
    for length in range(records(whole)[-2], len(whole)):
        path.write_bytes(whole[:length])
        ((ended,), _) = evolved(prepared, tmp_path / "journal")
        assert ended[1] >= 12
        again = path.read_bytes()
        assert again.startswith(whole[: records(whole)[-2]])
        assert again.endswith(b"Eseconds")


def test_a_journal_of_zeros_and_tears_after_a_power_cut(tmp_path):
    prepared = ExperimentSession(tiny(targets=[0], **PLAIN), rows=64)
    (tmp_path / "journal").mkdir()
    expected = evolved(prepared, tmp_path / "journal")
    path = next((tmp_path / "journal").iterdir())
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for length in sample(range(len(whole)), 100, "zeros"):
        path.write_bytes(whole[:length] + bytes(int(rng.integers(1, 5000))))
        assert evolved(prepared, tmp_path / "journal") == expected, length
