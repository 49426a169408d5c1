"""Columns of the log from plugins, against numpy, and the same for every executor, resumption and extension."""

import numpy as np
import pytest
from deap import tools
from helpers.experiments import KIT, TINY

import fooldeap
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import statistic
from fooldeap.storage.inputs import rows_of

SEEN = []
CHOSEN = ["genotypic_diversity", "distinct", {"name": "quantile", "share": 0.25}]
SHORT = {**TINY, "targets": [0, 2], "reporters": ["csv"], "stop": {"evaluations": 150, "confidence": None}}


@statistic("seen", genome="any")
def seen(genomes, fitness):
    """Keep what it is given."""
    assert not fitness.flags.writeable
    SEEN.append((np.array(genomes), fitness.copy()))
    return len(genomes)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(out=None, **more):
    return fooldeap.run({**SHORT, "report": False, **more}, plugins=[KIT, seen], out=out, quiet=True)


def test_columns_are_those_of_numpy(tmp_path):
    SEEN.clear()
    result = run(targets=[2], statistics=[*CHOSEN, "seen"])
    log = result[2].log
    assert result.statistics == ("genotypic_diversity", "distinct", "quantile", "seen")
    assert len(log) > 3
    for row, (genomes, fitness) in zip(log, SEEN[-len(log) :], strict=True):  # the first generation is rehearsed
        points = genomes.reshape(len(genomes), -1) / 1.0
        distances = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1))
        assert row.statistics["genotypic_diversity"] == pytest.approx(distances.mean(), rel=1e-12)
        assert row.statistics["distinct"] == len(np.unique(points, axis=0))
        assert row.statistics["quantile"] == np.quantile(fitness, 0.25)
        assert row.statistics["seen"] == len(genomes)
        own = tools.Statistics()
        own.register("best", np.max)
        assert row.best == own.compile(fitness)["best"]
    assert result[2].logbook.select("distinct") == [row.statistics["distinct"] for row in log]


def test_the_budget_cuts_the_last_generation():
    SEEN.clear()
    run(targets=[2], statistics=["seen"], stop={"evaluations": 55, "confidence": None})
    assert sum(len(genomes) for genomes, _ in SEEN) >= 55
    assert len(SEEN[-1][0]) < len(SEEN[0][0])


def test_other_columns_do_not_change(tmp_path):
    run(out=tmp_path / "without")
    run(out=tmp_path / "with", statistics=CHOSEN)
    without, added = (rows_of((tmp_path / name / "log.csv").read_bytes()) for name in ("without", "with"))
    for before, after in zip(without, added, strict=True):
        assert {name: after[name] for name in before} == before
        assert list(after)[len(before) :] == ["genotypic_diversity", "distinct", "quantile"]


def test_the_folder_gives_the_same_rows(tmp_path):
    made = run(out=tmp_path / "run", statistics=CHOSEN)
    read = fooldeap.load(tmp_path / "run")
    assert [tuple(each.log) for each in made] == [tuple(each.log) for each in read]
    assert read.statistics == made.statistics


def test_large_experiments_store_the_columns(tmp_path, monkeypatch):
    small = run(out=tmp_path / "small", statistics=CHOSEN)
    monkeypatch.setattr("fooldeap.runs.worker_task.MANY_TARGETS", 1)
    run(out=tmp_path / "large", statistics=CHOSEN)
    assert (tmp_path / "large" / "log.npz").exists()
    for one, other in zip(small, fooldeap.load(tmp_path / "large"), strict=True):
        for before, after in zip(one.log, other.log, strict=True):
            assert before.statistics == after.statistics


@pytest.mark.slow
@pytest.mark.parametrize("workers", [{"mode": "chunks"}, {"mode": "runs"}])
def test_workers_give_the_same_log(tmp_path, workers):
    run(out=tmp_path / "one", statistics=CHOSEN)
    run(out=tmp_path / "two", statistics=CHOSEN, executor={"name": "scoop", "workers": 2, **workers})
    assert (tmp_path / "one" / "log.csv").read_bytes() == (tmp_path / "two" / "log.csv").read_bytes()


def test_an_extended_run_has_the_log_of_a_longer_one(tmp_path):
    longer = {"evaluations": 300, "confidence": None}
    run(out=tmp_path / "longer", statistics=CHOSEN, stop=longer)
    run(out=tmp_path / "extended", statistics=CHOSEN)
    fooldeap.resume(tmp_path / "extended", "stop.evaluations=300", plugins=[KIT, seen], quiet=True)
    assert (tmp_path / "longer" / "log.csv").read_bytes() == (tmp_path / "extended" / "log.csv").read_bytes()


def test_map_elites_has_a_value_for_each_target(tmp_path):
    result = run(algorithm="map_elites", statistics=["quantile"])
    values = [[row.statistics["quantile"] for row in each.log] for each in result]
    assert len(values) == 2
    assert values[0] != values[1]


def test_a_name_of_a_column_is_refused():
    with pytest.raises(InputError, match=r"statistic 'best': log\.csv has a column of this name already; choose"):
        statistic("best")


def test_a_statistic_that_returns_no_number_is_named():
    @statistic("words", genome="any")
    def words(genomes, fitness):
        """Return a text."""
        return "many"

    with pytest.raises(PluginError, match=r"statistic 'words' returned .*, expected a number"):
        fooldeap.run({**SHORT, "statistics": ["words"]}, plugins=[KIT, words], quiet=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["quantile", "quantile"], r"statistics\[1\]: got 'quantile' twice, expected each statistic once"),
        ("quantile", r'statistics: got "quantile", expected a list such as \['),
        ([{"name": "quantile", "share": 2}], r"statistics\[0\]\.share: got 2, expected a number"),
        (["qantile"], r"statistics\[0\]: .*did you mean 'quantile'"),
    ],
)
def test_wrong_statistics_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        run(statistics=given)


def test_a_statistic_that_does_not_fit_the_genome_is_refused():
    with pytest.raises(InputError, match="genotypic_diversity"):
        fooldeap.run({"genome": "cppn", "mutation": "cppn", "crossover": "none", "statistics": ["genotypic_diversity"]})
