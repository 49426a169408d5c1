"""One run on three machines with Dask and TLS. Each machine is a network namespace with a host name of its own.

pytest -s tests/cluster        (as root, with Debian's iproute2 and openssl)
"""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from helpers.experiments import KIT, ROOT, bits
from helpers.parallel import wait_for

import fooldeap

PAGE = (ROOT / "docs/parallel.md").read_text()
HOSTS = {"fool-head": "10.77.0.1", "fool-a": "10.77.0.2", "fool-b": "10.77.0.3"}
SCHEDULER = f"{HOSTS['fool-head']}:8786"
EXPERIMENT = {
    "name": "cluster",
    "plugins": [str(KIT)],
    "classifier": {"name": "slow", "pause": 0.002},
    "algorithm": {"name": "generational", "population": 60},
    "stop": {"confidence": None, "generations": 12},
    "seeds": 3,
    "reporters": ["csv"],
}
# How long Dask waits for an answer of a lost machine; by default 30 s.
DASK = """
distributed:
  comm:
    timeouts: {{tcp: 12s}}
    tls:
      ca-file: {folder}/cert.pem
      scheduler: {{cert: {folder}/cert.pem, key: {folder}/key.pem}}
      worker: {{cert: {folder}/cert.pem, key: {folder}/key.pem}}
      client: {{cert: {folder}/cert.pem, key: {folder}/key.pem}}
"""


def missing():
    """Return why this cannot be run here, or an empty text."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "only root can make network namespaces"
    lacking = [name for name in ("ip", "unshare", "openssl") if not shutil.which(name)]
    if lacking:
        return f"needs {', '.join(lacking)}: Debian's iproute2 and openssl"
    probe = subprocess.run(["ip", "netns", "add", space("fool-probe")], capture_output=True, text=True)
    if probe.returncode:
        return f"network namespaces cannot be made here ({probe.stderr.strip()})"
    subprocess.run(["ip", "netns", "del", space("fool-probe")], check=True)
    return ""


def space(name):
    """Return the name of a machine's network namespace, which no other test uses."""
    return f"{name}-{os.getpid()}"


REASON = missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(REASON), reason=REASON or "nothing is missing"),
]


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def inside(name, *command):
    """Return the command that runs a command on a machine."""
    known_as = f'hostname {name}; exec "$@"'
    return ["ip", "netns", "exec", space(name), "unshare", "--uts", "sh", "-c", known_as, "sh", *command]


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Make three machines on one network. A scheduler runs on the first of them, and a worker on each."""
    pytest.importorskip("distributed")
    (certify,) = re.findall("^(openssl .*)", PAGE, re.MULTILINE)
    subprocess.run(shlex.split(certify.replace("~/dask-tls", str(tmp_path))), check=True, capture_output=True)
    (tmp_path / "dask.yaml").write_text(DASK.format(folder=tmp_path))
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "dask.yaml"))
    with ExitStack() as undo:
        for name, address in HOSTS.items():
            ip("netns", "add", space(name))
            undo.callback(ip, "netns", "del", space(name))
            ip("-n", space(name), "link", "set", "lo", "up")
            connect(name, address)
        start(undo, tmp_path, "fool-head", "scheduler", "--protocol", "tls", "--port", "8786")
        for name in HOSTS:
            start(undo, tmp_path, name, "worker", f"tls://{SCHEDULER}", "--nthreads", "1", "--no-nanny")
        log = tmp_path / "scheduler.log"
        wait_for(lambda: log.read_text().count("Starting worker compute stream") == len(HOSTS))
        yield


def connect(name, address):
    """Connect a machine to the network, a bridge on the first machine."""
    head = space("fool-head")
    if name == "fool-head":
        ip("-n", head, "link", "add", "eth0", "type", "bridge")
    else:
        cable = name.replace("fool", "to")
        ip("link", "add", cable, "netns", head, "type", "veth", "peer", "name", "eth0", "netns", space(name))
        ip("-n", head, "link", "set", cable, "master", "eth0", "up")
    ip("-n", space(name), "addr", "add", f"{address}/24", "dev", "eth0")
    ip("-n", space(name), "link", "set", "eth0", "up")


def start(undo, folder, name, kind, *words):
    """Start a scheduler or a worker of Dask on a machine."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--host", HOSTS[name], "--no-dashboard"]
    scratch = ["--local-directory", str(folder / name)] if kind == "worker" else []
    with (folder / f"{kind}.log").open("a") as log:
        process = subprocess.Popen(inside(name, *command, *scratch), stdout=log, stderr=log, start_new_session=True)
    undo.callback(process.wait)
    undo.callback(os.killpg, process.pid, signal.SIGKILL)


@pytest.mark.parametrize("mode", ["chunks", pytest.param("runs", marks=pytest.mark.thorough)])
def test_one_run_on_three_machines(machines, tmp_path, mode):
    fooldeap.run(EXPERIMENT, out=tmp_path / "alone", quiet=True)

    process = run(tmp_path / "run", mode)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    workers = (tmp_path / "run/workers.csv").read_text()
    shown = f"$ fooldeap run cluster.yaml --workers dask://{SCHEDULER} executor.mode={mode}\n\n{workers}\n"
    assert {row["host"] for row in csv.DictReader(workers.splitlines()) if int(row["images"])} == set(HOSTS)
    assert bits(tmp_path / "run") == bits(tmp_path / "alone")

    process = run(tmp_path / "again", mode)
    wait_for(lambda: list((tmp_path / "again/journal").glob("*")), process)
    time.sleep(1.0)
    ip("-n", space("fool-b"), "link", "set", "eth0", "down")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    hosts = {row["host"] for row in csv.DictReader((tmp_path / "again/workers.csv").read_text().splitlines())}
    shown += f"fool-b was disconnected after a second; the others went on: {', '.join(sorted(hosts))}\n"
    print(f"\n{shown}")
    assert {"fool-head", "fool-a"} <= hosts
    assert bits(tmp_path / "again") == bits(tmp_path / "alone")
    if mode == "runs":  # in the other mode, fool-b may have answered before it was disconnected
        assert masked(shown) in masked(PAGE)


def masked(text):
    """Return a text without the numbers in it."""
    return re.sub(r"\d+(\.\d+)?(?=[,\n])", "#", text)


def run(folder, mode):
    """Start the experiment on the first machine."""
    words = [f"{key}={json.dumps(value)}" for key, value in EXPERIMENT.items()]
    (folder.parent / "cluster.yaml").write_text("name: cluster\n")
    command = [sys.executable, "-m", "fooldeap", "run", str(folder.parent / "cluster.yaml"), "--out", str(folder)]
    return subprocess.Popen(
        inside("fool-head", *command, "--workers", f"dask://{SCHEDULER}", f"executor.mode={mode}", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
