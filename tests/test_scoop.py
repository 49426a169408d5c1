"""SCOOP: the same bits whoever evaluates, whoever is killed; nothing open to others, nobody left behind."""

import csv
import importlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import KIT, ROOT, bits, unannounced
from ledgers import check_adds_up
from processes import descendants, listening, named, unix_sockets

import fooldeap
from fooldeap import config
from fooldeap.errors import FooldeapWarning, InputError, PluginError, RunError
from fooldeap.plugin import Executor, dataclass, executor, mutation
from fooldeap.prepared import Prepared
from fooldeap.rundir import RunFolder

FAULTS = int(os.environ.get("FOOLDEAP_FAULTS", "2"))  # how often workers are killed; `make faults` does it 20 times
WORKER = "fooldeap_plugins.executor._worker"
SLOW = {
    "name": "slow",
    "plugins": [str(KIT)],
    "classifier": {"name": "slow", "pause": 0.0005},
    "algorithm": {"name": "generational", "population": 40},
    "stop": {"confidence": None, "generations": 12},
    "seeds": 2,
    "reporters": ["csv"],
}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tests read /proc")


def scoop(workers=2, mode="chunks", **more):
    return {"name": "scoop", "workers": workers, "mode": mode, **more}


def prepared(source, folder=None, **arguments):
    """Run an experiment, its workers all ready before it starts; return the folder and who did how much."""
    with Prepared(config.load(source, arguments=arguments)) as ready:
        wait = getattr(ready.executor, "wait", None)
        if wait:
            wait()
        ready.run(RunFolder.create(ready.experiment, folder), quiet=True)
        return ready.crew.done


def write(path, data):
    path.write_text(json.dumps(data))  # JSON is YAML
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The bits of the slow experiment in one process."""
    folder = tmp_path_factory.mktemp("slow") / "run"
    prepared(SLOW, folder)
    return bits(folder)


# --- The same bits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "mnist_lenet"])
def test_the_same_bits_on_the_shipped_networks_for_three_seeds(name, tmp_path):
    small = {
        "targets": [2, 3, 8],
        "seeds": 3,
        "stop": {"generations": 6, "evaluations": 300},
        "algorithm": {"name": "generational", "population": 40},
        "reporters": ["csv", "images"],
    }
    prepared(ROOT / f"configs/{name}.yaml", tmp_path / "serial", **small)
    expected = bits(tmp_path / "serial")
    for workers, mode in [(1, "chunks"), (2, "chunks"), (1, "runs"), (2, "runs")]:
        folder = tmp_path / f"{workers}-{mode}"
        done = prepared(ROOT / f"configs/{name}.yaml", folder, executor=scoop(workers, mode), **small)
        assert bits(folder) == expected, (workers, mode)
        assert len(done) == workers, "everybody worked"


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_same_bits_however_many_work(slow, tmp_path, workers, mode):
    done = prepared(SLOW, tmp_path / "run", executor=scoop(workers, mode))
    assert bits(tmp_path / "run") == slow
    assert len(done) == min(workers, 4 if mode == "runs" else 5), "eight runs go to five processes in pairs"
    with (tmp_path / "run/workers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(done)
    assert all(int(row["images"]) > 0 and float(row["seconds"]) > 0 for row in rows)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("name", ["map_elites", "gradient_ascent", "nsga2"])
def test_the_same_bits_with_all_targets_in_a_run_with_gradients_and_with_two_objectives(tmp_path, name, mode):
    algorithm = {"name": name, "population": 20}
    fitness = "confidence_and_ink" if name == "nsga2" else "cross_entropy"
    choices = {**SLOW, "classifier": "tiny", "algorithm": algorithm, "fitness": fitness}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("name", ["cma_es", "snes", "differential_evolution"])
def test_the_same_bits_with_algorithms_that_move_by_their_own_arithmetic(tmp_path, name, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": "dct", "algorithm": {"name": name, "population": 20}}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.parametrize(
    ("genome", "mutation", "mode"),
    [("blocks", "polynomial", "chunks"), ("binary", "invert", "runs"), ("dct_with_steps", "self_adaptive", "chunks")],
)
def test_the_same_bits_with_genomes_that_are_no_images(tmp_path, genome, mutation, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": genome, "mutation": mutation}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_the_same_bits_with_networks(tmp_path, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": "cppn", "mutation": "cppn", "crossover": "none"}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


def test_resumed_with_other_numbers_of_workers(slow, tmp_path):
    path = write(tmp_path / "slow.yaml", SLOW)
    command = [sys.executable, "-m", "fooldeap", "run", str(path), "--out", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(list(tmp_path.glob("run/journal/*"))) > 3)
    process.kill()
    process.communicate()
    for workers in ("1", "3"):
        resume = [sys.executable, "-m", "fooldeap", "run", "--resume", str(tmp_path / "run"), "--workers", workers]
        process = subprocess.Popen([*resume, "--quiet"])
        time.sleep(2.0)
        process.kill()
        process.wait()
    fooldeap.resume(tmp_path / "run", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


def test_genomes_that_are_costly_to_decode_are_decoded_by_all(tmp_path):
    told = tmp_path / "told"
    genome = {**SLOW, "genome": {"name": "mirrored", "told": ""}, "mutation": "jitter"}
    prepared(genome, tmp_path / "serial")
    told_by = {**genome, "genome": {"name": "mirrored", "told": str(told)}}
    prepared(told_by, tmp_path / "scoop", executor=scoop(3))
    assert len(set(told.read_text().split())) == 3
    one, other = bits(tmp_path / "serial"), bits(tmp_path / "scoop")
    assert one["log.csv"] == other["log.csv"]


def test_an_executor_of_ones_own_gets_work_that_travels(slow, tmp_path):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    @executor("pool")
    @dataclass
    class Pool(Executor):
        """The standard library's processes."""

        @property
        def processes(self):
            return 2

        def open(self, work):
            self.pool = ProcessPoolExecutor(1, get_context("spawn"))

        def map(self, function, items):
            return self.pool.map(function, items)

        def close(self):
            self.pool.shutdown()
            return ""

    experiment = config.load({**SLOW, "seeds": 2}, arguments={"executor": "serial"})
    with Prepared(experiment) as ready:
        ready.crew.executor = Pool()
        ready.crew.executor.open(ready.crew.work)
        ready.evaluator.shares = 2
        ready.run(RunFolder.create(experiment, tmp_path / "run"))
        assert os.getpid() not in {place.process for place in ready.crew.done}
    assert bits(tmp_path / "run") == slow


def test_scoop_by_hand_from_python_and_twice_in_a_process():
    for _ in range(2):
        toolbox = fooldeap.toolbox({**SLOW, "executor": scoop()}, targets=[1])
        assert toolbox.evaluate(toolbox.sample(100)).shape == (100,)
        assert list(toolbox.map(abs, [-1, 2, -3])) == [1, 2, 3]


# --- Guarded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_nothing_listens_but_sockets_that_no_other_user_can_reach(mode, tmp_path):
    with Prepared(config.load({**SLOW, "executor": scoop(3, mode)})) as ready:
        ready.executor.wait()
        others = [each for each in descendants(os.getpid()) if each in named(WORKER)]
        assert len(others) == 1 + 2, "a foreman, two workers"
        assert not listening([os.getpid(), *others])
        assert not unix_sockets(others)
        ours = unix_sockets([os.getpid()])
        (folder,) = {socket.parent for socket in ours}
        assert len(ours) == 3, "the broker's two, and the root's"
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o700, os.getuid())
    assert not set(others) & set(named(WORKER))
    assert not folder.exists()


def test_a_private_folder_has_a_name_that_is_short_enough_for_sockets(tmp_path, monkeypatch):
    from fooldeap_plugins.executor import _pool

    for parent in (tmp_path / ("x" * 80), tmp_path / "with:colon"):
        parent.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(parent))
        folder = _pool._PrivateFolder()
        assert folder.name.startswith("/tmp/fooldeap-scoop-")
        folder.remove()


def test_folders_that_nobody_holds_are_cleared_away(monkeypatch):
    """As a root leaves one that is killed together with its foreman."""
    from fooldeap_plugins.executor import _pool

    tmp_path = Path(tempfile.mkdtemp(prefix="swept-", dir="/tmp"))  # a long name would not do for a socket's folder
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = _pool._PrivateFolder()
    names = "left", "newborn", "elsewhere"
    left, newborn, elsewhere = (tmp_path / f"fooldeap-scoop-{name}" for name in names)
    for folder in (left, newborn):
        folder.mkdir()
        (folder / "1").touch()
    (tmp_path / "kept").mkdir()
    elsewhere.symlink_to(tmp_path / "kept")
    (tmp_path / "fooldeap-other").mkdir()
    for folder in (held.name, left, tmp_path / "kept", tmp_path / "fooldeap-other"):
        os.utime(folder, (0, 0))
    another = _pool._PrivateFolder()
    there = {each.name for each in tmp_path.iterdir()}
    own = {Path(each.name).name for each in (held, another)}
    assert there == {*own, newborn.name, elsewhere.name, "kept", "fooldeap-other"}
    for each in (held, another):
        each.remove()
    assert not {each.name for each in tmp_path.iterdir()} & own
    shutil.rmtree(tmp_path)


def test_it_leaves_logging_and_the_excepthook_alone():
    hook, logger = sys.excepthook, logging.getLogger("somebody.elses")
    with Prepared(config.load({**SLOW, "executor": scoop()})) as ready:
        ready.run(None)
    assert sys.excepthook is hook
    assert not logger.disabled


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("attempt", range(FAULTS))
def test_a_killed_worker_costs_time_and_no_result(slow, tmp_path, mode, attempt):
    chance = random.Random(f"{mode} {attempt}")
    experiment = {**SLOW, "executor": scoop(chance.choice([2, 3]), mode)}
    path = write(tmp_path / "slow.yaml", experiment)
    process = start(path, tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) >= experiment["executor"]["workers"] - 1, process)
    time.sleep(chance.uniform(0.2, 2.5))
    victims = workers_of(process)
    if victims and process.poll() is None:
        os.kill(chance.choice(victims), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert bits(tmp_path / "run") == slow, "each evaluation is counted once: they are in the journals and the log"
    check_adds_up(tmp_path / "run")


def test_all_workers_killed_and_the_foreman_too(slow, tmp_path):
    process = start(write(tmp_path / "slow.yaml", {**SLOW, "executor": scoop(3)}), tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) >= 2, process)
    time.sleep(1.0)
    for victim in descendants(process.pid):
        os.kill(victim, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert bits(tmp_path / "run") == slow


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.filterwarnings("ignore:workers on localhost were not ready:fooldeap.FooldeapWarning")
def test_a_killed_or_interrupted_root_leaves_no_orphan_and_a_folder_to_resume(slow, tmp_path, mode, by):
    process = start(write(tmp_path / "slow.yaml", {**SLOW, "executor": scoop(3, mode)}), tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) >= 2 and list(tmp_path.glob("run/journal/*")), process)
    time.sleep(0.7)
    everybody = descendants(process.pid)
    assert len(everybody) == 3
    (folder,) = {socket.parent for socket in unix_sockets([process.pid])}
    process.send_signal(by)
    _, said = process.communicate(timeout=30)
    if by == signal.SIGINT:
        assert process.returncode == 130, said
        went_on = f"go on with: fooldeap run --resume {tmp_path / 'run'}"
        assert unannounced(said).strip() == f"fooldeap: interrupted; {went_on}"
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)
    assert not folder.exists()
    fooldeap.resume(tmp_path / "run", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


def test_a_worker_that_holds_on_to_the_interpreter_is_no_orphan_either(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nfrom fooldeap import config\nfrom fooldeap.prepared import Prepared\n"
        f"data = {SLOW!r}\n"
        "data['classifier'] = {'name': 'slow', 'pause': 0.001, 'only': os.getpid(), 'holds': True}\n"
        "with Prepared(config.load({**data, 'executor': {'name': 'scoop', 'workers': 2}})) as ready:\n"
        "    print('ready', flush=True)\n    ready.run(None)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    wait_for(lambda: workers_of(process), process)
    time.sleep(2.0)
    everybody = descendants(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_an_error_in_a_worker_is_one_line_and_its_traceback_is_in_the_log(tmp_path, mode):
    experiment = {
        **SLOW,
        "classifier": {"name": "slow", "pause": 0.001, "only": os.getpid()},
        "executor": scoop(2, mode),
    }
    with Prepared(config.load(experiment)) as ready:
        ready.executor.wait()
        with pytest.raises(PluginError, match=r"^classifier 'slow' raised ValueError: no luck today; the traceback is"):
            ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))
    log = (tmp_path / "run/error.log").read_text()
    assert "In a worker (" in log
    assert 'raise ValueError("no luck today")' in log


def test_exit_codes(tmp_path):
    def code(*words, **changes):
        path = write(tmp_path / "experiment.yaml", {**SLOW, **changes})
        command = [sys.executable, "-m", "fooldeap", "run", str(path), *words, "--quiet"]
        ended = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=60)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return ended.returncode, unannounced(ended.stderr)

    assert code("--workers", "1", stop={"generations": 1}, seeds=1) == (0, "")
    assert code("--workers", "none") == (
        2,
        "fooldeap: --workers: got 'none', expected a number of at least 1, or auto\n",
    )
    assert code("--workers", "0")[0] == 2
    wrong, said = code("--workers", "1", classifier="broken")
    assert (wrong, said.count("\n")) == (1, 1), said
    wrong, said = code("--workers", "2", targets=[9])
    assert (wrong, said.count("\n")) == (2, 1), said


def test_workers_that_cannot_start_are_no_silent_serial_run(tmp_path):
    hosts = tmp_path / "hosts.txt"
    hosts.write_text("far.away 2 # a comment\n")
    ssh = f"{sys.executable} -c \"raise SystemExit('far.away: no route')\""
    experiment = config.load({**SLOW, "executor": scoop(1, hosts=str(hosts), ssh=ssh)})
    refused = pytest.raises(RunError, match=r"workers on far.away: one did not start; .* far.away: no route")
    with Prepared(experiment) as ready, refused:
        ready.run(None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node7", "hosts.txt:1: got 'node7', expected a host name and a number of workers: node7 16"),
        ("# none\n", "names no host"),
        ("a 1\nb x\n", "hosts.txt:2"),
        ("-oProxyCommand=x 1", "hosts.txt:1"),
        ("a@-oProxyCommand=x 1", "hosts.txt:1"),
        ("$(touch\u00a0x) 1", "hosts.txt:1"),
        ("a;b 1", "hosts.txt:1"),
        ("a`b` 1", "hosts.txt:1"),
        ("a|b 1", "hosts.txt:1"),
        ("a\x1b[2J 1", "hosts.txt:1"),
        ("a ²", "hosts.txt:1"),
        ("a 1\na 2\n", "names 'a' twice"),
        ("localhost 3\n", "workers: got 2, but .* gives this machine 3"),
    ],
)
def test_a_file_of_hosts_that_is_wrong(tmp_path, text, message):
    hosts = tmp_path / "hosts.txt"
    hosts.write_text(text)
    with pytest.raises(InputError, match=message):
        Prepared(config.load({**SLOW, "executor": scoop(hosts=str(hosts))}))


def test_what_other_processes_cannot_load_is_refused():
    class Model:
        input_shape, classes, digest = (8, 8, 1), 4, "model"

        def logits(self, images):
            return np.zeros((len(images), 4), np.float32)

    with pytest.raises(InputError, match="executor: a classifier in memory cannot be sent"):
        fooldeap.fool(Model(), 1, executor=scoop())

    @mutation("of_python")
    def of_python(images, rng):
        """Do nothing."""
        return images

    with pytest.raises(InputError, match="executor: other processes do not find all plugins"):
        fooldeap.run(SLOW, plugins=[of_python], mutation="of_python", executor=scoop(), quiet=True)


def test_a_worker_with_other_bits_is_refused(monkeypatch):
    from fooldeap.work import Work

    with Prepared(config.load({**SLOW, "executor": scoop()})) as ready:
        ready.executor.wait()
        monkeypatch.setattr(Work, "probe", b"other bits")
        with pytest.raises(RunError, match="computes other bits than"):
            ready.run(None)


def test_a_worker_that_is_killed_while_it_loads_is_started_again(slow, tmp_path):
    experiment = {**SLOW, "classifier": {"name": "slow", "pause": 0.001, "loads": 0.6}, "executor": scoop()}
    process = start(write(tmp_path / "slow.yaml", experiment), tmp_path / "run")
    wait_for(lambda: workers_of(process), process)
    time.sleep(0.3)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, unannounced(said)) == (0, "")
    assert len((tmp_path / "run/workers.csv").read_text().splitlines()) == 1 + 2
    assert bits(tmp_path / "run")["log.csv"] == slow["log.csv"]


@pytest.mark.parametrize(("mode", "hangs"), [("chunks", "Python"), ("runs", "Python"), ("chunks", "C")])
def test_a_classifier_that_hangs_in_a_worker_ends_the_run_which_can_be_resumed(slow, tmp_path, mode, hangs):
    classifier = {"name": "slow", "pause": 0.0002, "only": os.getpid(), "hangs": hangs}
    changes = {"classifier": classifier, "executor": scoop(2, mode, seconds_a_batch=0.8)}
    late = r"^classifier 'slow' took longer than 0.8 s for a batch of \d+ images; .*executor.seconds_a_batch"
    with Prepared(config.load({**SLOW, **changes})) as ready:
        folder = RunFolder.create(ready.experiment, tmp_path / "run")
        everybody = descendants(os.getpid())
        with pytest.raises(RunError, match=late) as raised:  # noqa: PT012 - at the one call or the other
            ready.executor.wait()  # one that waits as C does hangs already
            ready.run(folder)
        assert "\n" not in str(raised.value)
    assert not set(everybody) & set(named(WORKER))
    with Prepared(config.load(folder.config, arguments={"executor": "serial"})) as ready:
        ready.run(RunFolder.open(folder.path), resumed=True, quiet=True)
    assert bits(folder.path)["log.csv"] == slow["log.csv"]


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_a_worker_that_exits_is_an_error_of_the_classifier(tmp_path, mode):
    classifier = {"name": "slow", "pause": 0.001, "only": os.getpid(), "exits": True}
    with Prepared(config.load({**SLOW, "classifier": classifier, "executor": scoop(2, mode)})) as ready:
        ready.executor.wait()
        with pytest.raises(PluginError, match=r"^classifier 'slow' raised SystemExit: 5"):
            ready.run(None)


def test_never_silently_serial(monkeypatch, tmp_path):
    experiment = {**SLOW, "classifier": {"name": "slow", "loads": 60.0}, "executor": scoop()}
    with pytest.warns(FooldeapWarning, match="not ready before the end; others did all"):
        fooldeap.run(experiment, quiet=True, out=tmp_path / "run", stop={"generations": 1})
    pools = importlib.import_module("fooldeap_plugins.executor._pool")
    monkeypatch.setattr(pools, "READY_SECONDS", 0.0)
    with Prepared(config.load(experiment)) as ready, pytest.raises(RunError, match="one was not ready after 0 s"):
        ready.run(None)


def test_two_sessions_do_not_work_on_one_folder(tmp_path):
    experiment = config.load({**SLOW, "executor": scoop(1, "runs")})
    folder = RunFolder.create(experiment, tmp_path / "run")
    with folder.locked(), pytest.raises(InputError, match="another process works on it"):
        fooldeap.resume(tmp_path / "run", quiet=True)


SSH = """#!/bin/sh
# No ssh, but a shell here that talks, and links in place of tunnels.
echo "Welcome to far.away"
echo 42
while [ $# -gt 1 ]; do
    if [ "$1" = -R ]; then
        ln -s "${2#*:}" "${2%%:*}"
        echo "${2%%:*}" >> "$(dirname "$0")/sockets"
    fi
    shift
done
cd / && exec sh -c "$1"
"""


def test_what_a_shell_says_on_another_machine_is_no_message(tmp_path):
    hosts, ssh = tmp_path / "hosts.txt", tmp_path / "ssh"
    hosts.write_text("far.away 1\n")
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    changes = {"workers": 1, "mode": "runs", "hosts": str(hosts), "ssh": str(ssh)}
    with Prepared(config.load({**SLOW, "executor": {"name": "scoop", **changes}})) as ready:
        ready.executor.wait()
        ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))
        assert len(ready.crew.done) == 2
    assert "Welcome to far.away" in (tmp_path / "run/workers.log").read_text()
    sockets = (tmp_path / "sockets").read_text().split()
    assert len(sockets) == 3
    assert not [socket for socket in sockets if os.path.lexists(socket)], "the foreman there clears them away"


def test_one_parallel_run_at_a_time_in_a_process():
    refused = []

    def other():
        try:
            fooldeap.fool(SLOW["classifier"], 1, workers=2, plugins=[str(KIT)])
        except InputError as error:
            refused.append(str(error))

    with Prepared(config.load({**SLOW, "executor": scoop()})) as ready:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        ready.run(None)
    assert "another thread evaluates by SCOOP already" in refused[0]


# --- Helpers --------------------------------------------------------------------------------------------------------


def start(path, folder):
    command = [sys.executable, "-m", "fooldeap", "run", str(path), "--out", str(folder), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def workers_of(process):
    """The workers of a run: those that a foreman started."""
    foremen = set(descendants(process.pid))
    return [each for each in foremen if not set(descendants(each))] if len(foremen) > 1 else []


def wait_for(condition, process=None, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_scoops_own_launcher(slow, tmp_path):
    main = ROOT / "fooldeap/__main__.py"
    words = ["run", str(write(tmp_path / "slow.yaml", SLOW)), "--out", str(tmp_path / "run"), "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-m", "scoop", "-n", "3", str(main), *words], capture_output=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert bits(tmp_path / "run") == slow
    assert len((tmp_path / "run/workers.csv").read_text().splitlines()) == 1 + 3
