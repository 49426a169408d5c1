"""Runs with many targets."""

import pytest
from helpers.experiments import TINY
from helpers.resuming import check_resumes_wherever_cut

from fooldeap.configuration import config
from fooldeap.errors import FooldeapError, InputError
from fooldeap.plugin import Reporter, dataclass, reporter
from fooldeap.result_tools.verify import verify
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession

SCATTERED = tuple(range(0, 1000, 10))
PLUGIN = """
import numpy as np
from fooldeap.plugin import KW_ONLY, classifier, dataclass

@classifier("thousand")
@dataclass
class Thousand:
    \"\"\"A linear classifier of 4 x 4 images in 1000 classes.\"\"\"

    _: KW_ONLY

    input_shape = (4, 4, 1)
    classes = 1000
    digest = "thousand"

    def logits(self, images):
        weights = np.random.default_rng(7).normal(size=(16, 1000)) / 100
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)
"""


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        ((3,), "seed1-target3"),
        (tuple(range(1000)), "seed1-targets0-999"),
        ((0, 2, 1), "seed1-targets0_2_1"),
        (SCATTERED, "seed1-100targets-7359508de4ad460c"),
    ],
)
def test_the_names_of_runs_do_not_change(targets, name):
    """A changed name would prevent a run from resuming."""
    assert RunInfo(1, targets).label == name
    assert RunInfo(1, targets, "roulette").journal == f"roulette/{name}.journal"


def test_names_of_journals_are_short_and_unique():
    targets = [tuple(range(first, 1000, step)) for first in range(9) for step in range(2, 50)]
    targets += [each[::-1] for each in targets]
    names = {RunInfo(seed, each).journal for each in targets for seed in (1, 2**64 - 1)}
    assert len(names) == 2 * len(targets)
    assert max(map(len, names)) < 200


def test_a_run_of_scattered_targets_is_resumed_and_verified(tmp_path):
    (tmp_path / "thousand.py").write_text(PLUGIN)
    algorithm = {"name": "map_elites", "population": 12}
    choices = {**TINY, "classifier": "thousand", "algorithm": algorithm, "targets": list(SCATTERED)}
    choices["stop"] = {"generations": 3, "confidence": None}
    experiment = config.load({}, (), arguments=choices, plugins=[tmp_path / "thousand.py"])
    assert len(check_resumes_wherever_cut(experiment, tmp_path, 2)) == len(SCATTERED)
    assert verify(tmp_path / "whole").reproduced


@pytest.mark.parametrize(
    ("changes", "evaluations", "kept"),
    [
        ({}, 48, 1000 + 12),  # 4 generations of 12 in one run
        ({"stop": {"evaluations": 30}}, 30, 1000 + 12),
        ({"seeds": 2}, 96, 2000 + 24),
        ({"algorithm": {"name": "random_search", "population": 7}, "targets": list(range(30))}, 30 * 28, 30 + 5 * 7),
    ],
)
def test_the_cost_of_an_experiment_is_estimated(tmp_path, changes, evaluations, kept):
    (tmp_path / "thousand.py").write_text(PLUGIN)
    stop = {"generations": 3, "confidence": None, **changes.get("stop", {})}
    algorithm = {"name": "map_elites", "population": 12}
    choices = {**TINY, "classifier": "thousand", "targets": "all", "algorithm": algorithm, "concurrent_runs": 5}
    choices = {**choices, **changes, "stop": stop}
    seen = []

    @reporter("notes")
    @dataclass
    class Notes(Reporter):
        """Notes the cost, and ends the experiment."""

        def on_start(self, session):
            seen.append(session.cost)
            raise InputError("enough")

    choices["reporters"] = ["notes"]
    experiment = config.load({}, (), arguments=choices, plugins=[tmp_path / "thousand.py", Notes])
    with ExperimentSession(experiment) as prepared, pytest.raises(FooldeapError, match="enough"):
        prepared.run(None)
    (cost,) = seen
    assert (cost.evaluations, cost.memory) == (evaluations, 16 * kept)
    assert cost.rate > 0
