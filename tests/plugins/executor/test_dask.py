"""Dask: results are bit-identical with any number of workers, and equal to those of other executors."""

import os

import pytest
from helpers.experiments import bits
from helpers.parallel import ON_LINUX, SLOW, dask, prepared
from helpers.query_logs import check_adds_up

pytestmark = ON_LINUX


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(5, marks=pytest.mark.slow)]
)
def test_number_of_workers_changes_no_bits(slow, tmp_path, workers, mode):
    done = prepared(SLOW, tmp_path / "run", executor=dask(workers, mode))
    assert bits(tmp_path / "run") == slow
    assert len(done) == min(workers, 4 if mode == "runs" else 5), "eight runs go to five processes in pairs"
    assert os.getpid() not in {place.process for place in done}
    check_adds_up(tmp_path / "run")
