"""A folder that is resumed with a larger budget, goal or number of runs, as if it had them from the start."""

import pickle
import shutil

import pytest
from helpers.experiments import KIT, TINY, bits
from helpers.query_logs import check_adds_up, sessions
from helpers.resuming import interrupted

import fooldeap
from fooldeap import cli
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.plugin import algorithm
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.journal import Journal, without_header

SHORT = {**TINY, "targets": [0, 1], "reporters": ["csv", "images"]}
STOP = {"evaluations": 100, "confidence": None}  # 12 images in a generation: the budget cuts a batch


def start(folder, *overrides, stop=STOP, **arguments):
    fooldeap.run({**SHORT, "stop": stop, **arguments}, *overrides, plugins=[KIT], out=folder, quiet=True)
    return answers(folder)


def answers(folder):
    """Return the files that must be the same bits; of journals all but their headers, which name the experiment."""
    files = bits(folder)
    return {name: without_header(each) if name.startswith("journal/") else each for name, each in files.items()}


def extend(folder, *overrides, **more):
    result = fooldeap.resume(folder, *overrides, quiet=True, **more)
    return result, answers(folder)


BUDGET = "stop.evaluations=171"
ALGORITHMS = {
    "generational": TINY["algorithm"],
    "map_elites": {"name": "map_elites", "population": 14},
    "tiny_map_elites": "tiny_map_elites",
    "cma_es": "cma_es",
    "gradients": "ascent",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_larger_budget(tmp_path, algorithm):
    more = {"genome": "dct"} if algorithm == "cma_es" else {}
    chosen = {"algorithm": ALGORITHMS[algorithm], **more}
    start(tmp_path / "run", **chosen)
    expected = start(tmp_path / "whole", BUDGET, **chosen)
    result, found = extend(tmp_path / "run", BUDGET)
    assert found == expected
    assert result.evaluations == 171 * len(list((tmp_path / "run/journal").iterdir()))
    assert (tmp_path / "run/config.yaml").read_bytes() == (tmp_path / "whole/config.yaml").read_bytes()
    assert fooldeap.load(tmp_path / "run").evaluations == result.evaluations


ADAPTIVE = {"name": "adaptive_mixed", "of": ["one_fifth", "creep", {"name": "random_pixels", "rate": 0.02}]}
SIX = {
    "generational": {"algorithm": {"name": "generational", "population": 64}},
    "adaptive": {"mutation": ADAPTIVE, "selection": "fitness_sharing", "fitness": "confidence"},
    "cma_es": {"algorithm": "cma_es", "genome": {"name": "dct", "size": 4}},
    "map_elites": {"algorithm": {"name": "map_elites", "population": 64}},
    "deap_simple": {"algorithm": {"name": "deap_simple", "population": 64}},
    "steady_state": {"algorithm": {"name": "steady_state", "population": 64, "children": 30}},
}
FURTHER = {"keep": 3, "statistics": ["genotypic_diversity", {"name": "quantile", "share": 0.9}]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a function that runs an algorithm with 5,000 evaluations in one process, once for all tests."""
    folders = {}

    def made(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name) / "whole"
            start(folders[name], "stop.evaluations=5000", **FURTHER, **SIX[name])
        return folders[name]

    return made


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["serial", "chunks", pytest.param("runs", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", SIX)
def test_2000_evaluations_extended_to_5000(tmp_path, whole, name, mode):
    """Also if workers make both parts. The run that had the budget from the start is always made by one process."""
    workers = {} if mode == "serial" else {"executor": {"name": "scoop", "workers": 2, "mode": mode}}
    start(tmp_path / "run", "stop.evaluations=2000", **FURTHER, **SIX[name], **workers)
    before = fooldeap.load(tmp_path / "run")
    result, found = extend(tmp_path / "run", "stop.evaluations=5000")
    assert (before.evaluations, result.evaluations) == ((2000, 5000) if name == "map_elites" else (4000, 10000))
    assert found == answers(whole(name))
    check_adds_up(tmp_path / "run")
    assert fooldeap.verify(tmp_path / "run").problems == ()


@pytest.mark.parametrize(
    ("stop", "extension"),
    [
        ({**STOP, "generations": 20}, ["stop.evaluations=null"]),
        ({**STOP, "evaluations": 500, "generations": 3}, ["stop.generations=9"]),
        ({"evaluations": 400, "confidence": 0.1}, ["stop.confidence=0.2"]),
        ({"evaluations": 400, "confidence": 0.1}, ["stop.confidence=null"]),
        ({"evaluations": 400, "confidence": None, "stagnation": 1}, ["stop.stagnation=3"]),
        (STOP, ["seeds=2"]),
        (STOP, ["targets=[1, 0, 2]"]),
        (STOP, ["targets=all", "seeds=3", BUDGET]),
    ],
)
def test_an_extension_gives_the_bits_of_a_run_with_it_from_the_start(tmp_path, stop, extension):
    before = start(tmp_path / "run", stop=stop)
    expected = start(tmp_path / "whole", *extension, stop=stop)
    assert before != expected
    assert extend(tmp_path / "run", *extension)[1] == expected
    assert fooldeap.verify(tmp_path / "run").problems == ()
    assert fooldeap.verify(tmp_path / "run", sample=5).problems == ()


def test_extensions_in_small_steps(tmp_path):
    start(tmp_path / "run")
    for budget in (101, 102, 108, 170, 171):
        extend(tmp_path / "run", f"stop.evaluations={budget}")
    assert answers(tmp_path / "run") == start(tmp_path / "whole", BUDGET)
    assert extend(tmp_path / "run", BUDGET)[1] == answers(tmp_path / "whole")


@pytest.mark.parametrize("classifier", ["tiny", "billable"])
def test_only_the_missing_images_are_shown(tmp_path, classifier):
    start(tmp_path / "run", classifier=classifier)
    expected = start(tmp_path / "whole", BUDGET, classifier=classifier)
    assert extend(tmp_path / "run", BUDGET)[1] == expected
    assert sessions(tmp_path / "run")[-1]["classifier"] == 2 * 71


@pytest.mark.filterwarnings("ignore:this classifier's answer")
def test_if_answers_depend_on_the_batch_the_whole_cut_batch_is_shown_again(tmp_path):
    arguments = {"classifier": "neighbourly", "algorithm": {"name": "generational", "population": 40}}
    start(tmp_path / "run", **arguments)
    expected = start(tmp_path / "whole", BUDGET, **arguments)
    assert extend(tmp_path / "run", BUDGET)[1] == expected
    assert sessions(tmp_path / "run")[-1]["classifier"] > 2 * 71


def test_an_unfinished_folder_is_extended(tmp_path):
    expected = start(tmp_path / "whole", BUDGET)
    start(tmp_path / "run")
    for cut in (0, 1, 200, 700, 10**6):
        folder = tmp_path / f"cut_{cut}"
        shutil.copytree(tmp_path / "run", folder)
        (folder / "result.json").unlink()
        for path in folder.glob("journal/*"):
            path.write_bytes(path.read_bytes()[:cut])
        assert extend(folder, BUDGET)[1] == expected


@pytest.mark.parametrize("after", range(0, 12, 2))
@pytest.mark.parametrize("again", [(), (BUDGET,)])
def test_an_interrupted_extension_is_continued(tmp_path, after, again):
    start(tmp_path / "run")
    expected = start(tmp_path / "whole", BUDGET)
    with interrupted(Journal, "write_answer", after=after):
        fooldeap.resume(tmp_path / "run", BUDGET, quiet=True)
    assert extend(tmp_path / "run", *again)[1] == expected


def test_until_the_configuration_is_replaced_the_folder_keeps_the_earlier_experiment(tmp_path):
    before = start(tmp_path / "run")
    with interrupted(RunFolder, "unseal", after=0):
        fooldeap.resume(tmp_path / "run", BUDGET, quiet=True)
    assert extend(tmp_path / "run")[1] == before
    shutil.copytree(tmp_path / "run", tmp_path / "removed")
    with interrupted(type(RunFolder(tmp_path).environment), "write_noted", after=0):
        fooldeap.resume(tmp_path / "run", BUDGET, quiet=True)
    assert not (tmp_path / "run/result.json").exists()
    assert extend(tmp_path / "run")[1] == before
    assert extend(tmp_path / "run", BUDGET)[1] == start(tmp_path / "whole", BUDGET)


def test_whole_runs_in_other_processes_are_extended(tmp_path):
    start(tmp_path / "run")
    expected = start(tmp_path / "whole", BUDGET)
    result = fooldeap.resume(tmp_path / "run", BUDGET, "executor.mode=runs", workers=2, quiet=True)
    assert result.evaluations == 2 * 171
    assert answers(tmp_path / "run") == expected


def test_a_worker_accepts_the_journals_too(tmp_path):
    start(tmp_path / "run")
    extend(tmp_path / "run", BUDGET)
    earlier = RunFolder.open(tmp_path / "run").environment.earlier
    with ExperimentSession(config.load(tmp_path / "run/config.yaml", options=Options(earlier=earlier))) as prepared:
        work, info = pickle.loads(pickle.dumps(prepared.dispatcher.task)), prepared.runs[0]
    work.journal(info, tmp_path / "run/journal" / info.journal).close()
    assert len(earlier) == 1


def test_a_stop_by_the_clock_still_holds(tmp_path):
    stop = {"confidence": None, "seconds": 0.2, "evaluations": None}
    before = start(tmp_path / "run", stop={**stop, "evaluations": 10**9})
    result, found = extend(tmp_path / "run", "stop.evaluations=null")
    assert {each.stopped for each in result} == {"seconds"}
    assert found == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mutation.rate=0.5", "got 'mutation.rate=0.5', expected"),
        ("seed=2", "got 'seed=2', expected"),
        ("stop.seconds=7", "got 'stop.seconds=7', expected"),
        ("stop={evaluations: 900}", "got 'stop={evaluations: 900}', expected"),
        ("stop.evaluations=99", r"stop\.evaluations: got 99, expected 100 or more.*start a new run: fooldeap run"),
        ("stop.confidence=0.5", r"stop\.confidence: got 0\.5, expected null, no limit.*start a new run"),
        ("stop.stagnation=50", r"stop\.stagnation: got 50, expected null, no limit"),
        ("stop.evaluations=many", r"stop\.evaluations: got .many."),
        ("seeds=0", "seeds: got 0"),
        ("targets=[1, 2]", "targets: leaves out seed1-target0"),
    ],
)
def test_other_overrides_are_rejected_and_nothing_changes(tmp_path, override, message):
    start(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=message):
        fooldeap.resume(tmp_path / "run", override, quiet=True)
    after = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {name: each for name, each in after.items() if name.name != ".lock"} == before


def test_more_targets_for_an_algorithm_that_pursues_all_together_are_rejected(tmp_path):
    start(tmp_path / "run", algorithm="tiny_map_elites")
    with pytest.raises(InputError, match=r"targets: .*pursues all targets together.*start a new run"):
        fooldeap.resume(tmp_path / "run", "targets=[0, 1, 2]", quiet=True)
    assert fooldeap.load(tmp_path / "run").folder == tmp_path / "run"


def test_another_goal_for_an_algorithm_that_uses_the_goal_is_rejected(tmp_path):
    @algorithm("aiming")
    def aiming(toolbox, rng):
        while True:
            yield toolbox.sample(5 + int(10 * toolbox.goal["confidence"]))

    arguments = {**SHORT, "algorithm": "aiming", "stop": {"evaluations": 60, "confidence": 0.8}}
    fooldeap.run(arguments, plugins=[KIT, aiming], out=tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match=r"stop\.confidence: .*uses the goal.*start a new run"):
        fooldeap.resume(tmp_path / "run", "stop.confidence=0.99", plugins=[aiming], quiet=True)
    assert fooldeap.load(tmp_path / "run").goal == {"confidence": 0.8}


def test_the_command_extends(tmp_path, capsys):
    start(tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--resume", str(tmp_path / "run"), BUDGET])
    assert ended.value.code == 0
    assert "already finished" not in capsys.readouterr().out
    assert (tmp_path / "run/report.html").exists()
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--resume", str(tmp_path / "run"), BUDGET])
    assert "already finished" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--resume", str(tmp_path / "run"), "stop.evaluations=9"])
    assert ended.value.code == 2
    assert answers(tmp_path / "run") == start(tmp_path / "whole", BUDGET)
