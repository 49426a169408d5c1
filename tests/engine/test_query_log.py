"""The query ledger: every image that the classifier was shown is accounted for; a paid service is shown no other."""

import warnings

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, bits, run, tiny
from helpers.parallel import scoop
from helpers.query_logs import answered, check_adds_up, sessions
from helpers.resuming import interrupted

from fooldeap.configuration import config
from fooldeap.engine.evolution import Run
from fooldeap.engine.query_log import Queries, QueryLog
from fooldeap.errors import FooldeapWarning, InputError, PluginError
from fooldeap.plugin import Split, dataclass, dataset
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

STOP = {"confidence": None, "evaluations": 205}


def shown(classifier):
    return sum(len(images) for images in classifier.images)


@pytest.mark.parametrize("algorithm", ["generational", "steady_state", "tiny_map_elites", "deap_simple", "ascent"])
@pytest.mark.parametrize("concurrent_runs", [1, 16])
def test_query_log_equals_the_images_shown_to_the_classifier(tmp_path, algorithm, concurrent_runs):
    experiment = tiny(algorithm=algorithm, stop=STOP, targets=[0, 2], concurrent_runs=concurrent_runs)
    with ExperimentSession(experiment) as prepared:
        result = prepared.run(RunFolder.create(experiment, tmp_path / "run"))
    (row,) = sessions(tmp_path / "run")
    assert row["shown"] == shown(prepared.classifier)
    assert row["gradients"] == (row["classifier"] if algorithm == "ascent" else 0)
    assert row["classifier"] == result.evaluations
    check_adds_up(tmp_path / "run")
    assert row["lost"] == row["uncertain"] == row["journal"] == 0


def test_a_resumed_run_queries_only_images_missing_in_the_journal(tmp_path):
    experiment = tiny(stop=STOP, targets=[0, 2])
    run(experiment, tmp_path / "whole")
    with interrupted(Run, "finish_generation", after=20):
        run(experiment, tmp_path / "run")
    with ExperimentSession(experiment) as prepared:
        prepared.run(RunFolder.open(tmp_path / "run"), resumed=True)
    first, second = sessions(tmp_path / "run")
    (whole,) = sessions(tmp_path / "whole")
    assert second["journal"] == first["classifier"] > 0
    assert second["classifier"] + second["journal"] == whole["classifier"] == 410
    assert shown(prepared.classifier) == second["shown"]
    assert bits(tmp_path / "run") == bits(tmp_path / "whole")
    check_adds_up(tmp_path / "run")


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_workers_answers_are_counted_where_they_are_received(tmp_path, mode):
    data = {**TINY, "stop": STOP, "targets": [0, 2], "plugins": [str(KIT)], "executor": scoop(2, mode)}
    experiment = config.load(data)
    with ExperimentSession(experiment) as prepared:
        prepared.executor.wait()
        result = prepared.run(RunFolder.create(experiment, tmp_path / "run"))
        done = sum(images for images, _ in prepared.dispatcher.done.values())
    (row,) = sessions(tmp_path / "run")
    assert row["classifier"] == result.evaluations == 410
    assert row["classifier"] + row["padding"] == done


def test_a_billable_classifier_is_shown_nothing_else(tmp_path):
    experiment = tiny(classifier="billable", stop=STOP, targets=[0, 2])
    with ExperimentSession(experiment) as prepared:
        result = prepared.run(RunFolder.create(experiment, tmp_path / "run"))
    (row,) = sessions(tmp_path / "run")
    assert shown(prepared.classifier) == row["shown"] == row["classifier"] == result.evaluations == 410
    images = np.concatenate(prepared.classifier.images).reshape(410, -1)
    assert images.any(axis=1).all()  # no black ones among them
    same, _ = run(tiny(stop=STOP, targets=[0, 2]), tmp_path / "free")
    assert [each.score for each in same] == [each.score for each in result]


class Stopped(BaseException):
    """Ends a run as a kill does, without its leave."""


@pytest.mark.parametrize("algorithm", ["generational", "ascent"])
def test_each_paid_answer_is_stored_before_the_next_query(tmp_path, algorithm, monkeypatch):
    choices = {
        "algorithm": algorithm,
        "stop": {"confidence": None, "evaluations": 250},
        "targets": [0],
        "concurrent_runs": 4,
    }
    choices["algorithm"] = {"name": algorithm, **({"population": 100} if algorithm == "generational" else {})}
    experiment = tiny(classifier="billable", **choices)
    run(experiment, tmp_path / "whole")
    with ExperimentSession(experiment, rows=32) as prepared:
        answer, sizes = type(prepared.classifier).logits, []

        def third_never_returns(self, images):
            sizes.append(len(images))
            if len(sizes) == 3:
                raise Stopped
            return answer(self, images)

        folder = RunFolder.create(experiment, tmp_path / "run")
        monkeypatch.setattr(type(prepared.classifier), "logits", third_never_returns)
        with pytest.raises(Stopped):
            prepared.run(folder)
        monkeypatch.undo()
    (row,) = sessions(tmp_path / "run")
    (journal,) = (tmp_path / "run/journal").iterdir()
    assert row["classifier"] + row["gradients"] == sum(sizes[:2])
    assert row["uncertain"] == sizes[2]
    stored = answered(journal.read_bytes())
    if algorithm == "generational":
        assert sizes == [32, 32, 32]
        assert stored == 64
    with ExperimentSession(experiment, rows=32) as prepared:
        prepared.classifier.images.clear()
        prepared.run(RunFolder.open(tmp_path / "run"), resumed=True)
    first, second = sessions(tmp_path / "run")
    assert first == row
    assert second["journal"] == stored
    assert second["classifier"] + second["journal"] == 250
    assert shown(prepared.classifier) == second["shown"]
    kept = ("images/", "log.csv", "result.json")
    assert {name: found for name, found in bits(tmp_path / "run").items() if name.startswith(kept)} == {
        name: found for name, found in bits(tmp_path / "whole").items() if name.startswith(kept)
    }


@pytest.mark.parametrize("classifier", ["tiny", "billable"])
def test_accuracy_checks_are_probes_outside_the_budget(tmp_path, classifier):
    @dataset("noise")
    @dataclass(frozen=True)
    class Noise:
        """Images of noise, of one class."""

        def load(self):
            images, labels = np.full((64, 8, 8, 1), 200, np.uint8), np.zeros(64, int)
            return Split(images, labels, images, labels)

    choices = {**TINY, "classifier": classifier, "dataset": "noise", "stop": STOP, "targets": [0, 2]}
    experiment = config.load(choices, plugins=[KIT, Noise])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may be right on none of them
        prepared = ExperimentSession(experiment)
    with prepared:
        prepared.run(RunFolder.create(experiment, tmp_path / "run"))
    (row,) = sessions(tmp_path / "run")
    assert shown(prepared.classifier) == row["shown"]
    assert row["classifier"] == 410
    seen = sum((images == 200).all(axis=(1, 2, 3)).sum() for images in prepared.classifier.images)
    assert seen == (64 if classifier == "tiny" else 0)


def test_the_counts_add_up():
    queries = Queries(cache=2, journal=3, classifier=5, gradients=17, padding=7, probes=11, lost=13, uncertain=1)
    assert queries.asked == 2 + 3 + 5
    assert queries.shown == 5 + 17 + 7 + 11 + 13
    queries.add(Queries(cache=1, classifier=1))
    assert queries == Queries(3, 3, 6, 17, 7, 11, 13, 1)


def test_rows_of_a_session_become_one_when_it_ends(tmp_path):
    path = tmp_path / "queries.csv"
    with QueryLog(path) as log:
        log.write(Queries(classifier=32, padding=3))
        other = log.add_row()
        other.write(Queries(classifier=64, uncertain=8))
        assert other.read() == Queries(classifier=64, uncertain=8)
        assert [row["session"] for row in sessions(tmp_path)] == [1, 1]
        other.close()
    with QueryLog(path) as log:
        log.write(Queries(journal=96))
    first, second = sessions(tmp_path)
    assert (first["session"], first["classifier"], first["shown"], first["uncertain"]) == (1, 96, 99, 8)
    assert (second["session"], second["journal"], second["asked"], second["shown"]) == (2, 96, 96, 0)


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_count_is_refused(tmp_path, line):
    path = tmp_path / "queries.csv"
    for _ in range(2):
        QueryLog(path).close()
    lines = path.read_text().splitlines(keepends=True)
    lines[line] = lines[line].replace(" 0,", " 1,", 1) if line else lines[line].replace("asked", "askes")
    path.write_text("".join(lines))
    if line == 2:  # the last row: a power cut may leave it incomplete
        QueryLog(path).close()
        assert [row["session"] for row in sessions(tmp_path)] == [1, 2]  # and that of now
        return
    with pytest.raises(InputError, match=f"queries.csv:{line + 1}: is damaged; restore it from a copy, or remove it"):
        QueryLog(path)


# --- A run that fails ----------------------------------------------------------------------------------------------


def test_one_failure_stops_all_runs_unless_skipped(tmp_path):
    choices = {
        "mutation": {"name": "fails_by_chance", "chance": 0.01},
        "stop": {"confidence": None, "evaluations": 300},
        "targets": [0, 1, 2],
    }
    with pytest.raises(PluginError, match="bad luck"):
        run(tiny(**choices), tmp_path / "stopped")
    with pytest.warns(FooldeapWarning, match=r"seed1-target\d failed: .*bad luck.*; the other runs continue"):
        result, _ = run(tiny(**choices, on_error="skip"), tmp_path / "skipped")
    assert 0 < len(result.failures) < 3
    assert len(result) == 3  # what was found until then is kept
    stopped = {each.target: each.stopped for each in result}
    assert {f"seed1-target{target}" for target, why in stopped.items() if why == "failed"} == set(result.failures)
    for each in result:
        if each.stopped != "failed":
            alone, _ = run(tiny(**{**choices, "targets": [each.target]}))
            assert alone[each.target].score == each.score
