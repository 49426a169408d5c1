"""One run across two machines, each a network namespace with a host name and an SSH server of its own.

pytest -s tests/cluster        (as root, with Debian's openssh-server and iproute2)
"""

import csv
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from helpers.experiments import KIT, bits

import fooldeap

SSHD = "/usr/sbin/sshd"
HOSTS = {"fool-a": "10.77.1.2", "fool-b": "10.77.2.2"}
NEEDED = ("ip", "unshare", "ssh", "ssh-keygen")
EXPERIMENT = {
    "name": "cluster",
    "plugins": [str(KIT)],
    "classifier": {"name": "slow", "pause": 0.002},
    "algorithm": {"name": "generational", "population": 60},
    "stop": {"confidence": None, "generations": 12},
    "reporters": ["csv"],
}


def missing():
    """Why this cannot be run here, or nothing."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "only root can make network namespaces"
    lacking = [name for name in NEEDED if not shutil.which(name)] + ([] if Path(SSHD).exists() else [SSHD])
    if lacking:
        return f"needs {', '.join(lacking)}: Debian's openssh-server and iproute2"
    probe = subprocess.run(["ip", "netns", "add", space("fool-probe")], capture_output=True, text=True)
    if probe.returncode:
        return f"network namespaces cannot be made here ({probe.stderr.strip()})"
    subprocess.run(["ip", "netns", "del", space("fool-probe")], check=True)
    return ""


def space(name):
    """The network namespace that a machine is, whoever else is testing."""
    return f"{name}-{os.getpid()}"


REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "nothing is missing")


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def inside(name, *command):
    """The command, run on a machine of that name."""
    known_as = f'hostname {name}; exec "$@"'
    return ["ip", "netns", "exec", space(name), "unshare", "--uts", "sh", "-c", known_as, "sh", *command]


@pytest.fixture
def machines(tmp_path):
    """A head and two hosts, each reached from the head by SSH; yields the SSH command."""
    key, settings = tmp_path / "key", tmp_path / "ssh_config"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as undo:
        for name in ("fool-head", *HOSTS):
            ip("netns", "add", space(name))
            undo.callback(ip, "netns", "del", space(name))
            ip("-n", space(name), "link", "set", "lo", "up")
        for name, address in HOSTS.items():
            connect(name, address)
            server = subprocess.Popen(
                inside(name, SSHD, "-D", "-e", "-f", str(server_settings(tmp_path, key, address)))
            )
            undo.callback(server.wait)
            undo.callback(server.terminate)
        settings.write_text(client_settings(tmp_path, key))
        wait_for_servers(settings)
        yield f"ssh -F {settings}"


def connect(name, address):
    """Lay a cable from the head to a host."""
    head = address.rpartition(".")[0] + ".1"
    cable = name.removeprefix("fool-")
    near, far = space("fool-head"), space(name)
    ip("link", "add", f"fh{cable}", "netns", near, "type", "veth", "peer", "name", "eth0", "netns", far)
    for end, device, own in ((near, f"fh{cable}", head), (far, "eth0", address)):
        ip("-n", end, "addr", "add", f"{own}/30", "dev", device)
        ip("-n", end, "link", "set", device, "up")


def server_settings(folder, key, address):
    path = folder / f"sshd_{address}"
    host_key = folder / f"host_{address}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
    path.write_text(
        f"ListenAddress {address}\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\nStrictModes no\n"
        "PermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nPidFile none\n"
    )
    return path


def client_settings(folder, key):
    common = f"IdentityFile {key}\nUserKnownHostsFile {folder / 'known_hosts'}\nStrictHostKeyChecking accept-new\n"
    hosts = "".join(f"Host {name}\nHostName {address}\n" for name, address in HOSTS.items())
    return f"{hosts}Host *\nUser root\nLogLevel ERROR\n{common}"


def wait_for_servers(settings):
    for name in HOSTS:
        command = inside("fool-head", "ssh", "-F", str(settings), "-o", "BatchMode=yes", name, "hostname")
        for _ in range(50):
            answer = subprocess.run(command, capture_output=True, text=True)
            if answer.stdout.strip() == name:
                break
            time.sleep(0.1)
        assert answer.stdout.strip() == name, answer.stderr


def open_to_others(name):
    """The addresses on which anything but the SSH server listens on a machine."""
    found = set()
    for table in ("tcp", "tcp6"):
        listed = subprocess.run(inside(name, "cat", f"/proc/net/{table}"), capture_output=True, text=True, check=True)
        rows = [line.split() for line in listed.stdout.splitlines()[1:]]
        found |= {row[1] for row in rows if row[3] == "0A"}
    return {address for address in found if not address.endswith(":0016")}


def modes_of_sockets():
    """The modes of the sockets that ssh makes on the hosts, which share a folder here."""
    modes = set()
    for socket in Path("/tmp").glob(f"fooldeap-{'[0-9a-f]' * 32}-*"):
        with suppress(FileNotFoundError):
            modes.add(socket.stat().st_mode & 0o777)
    return modes


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_one_run_across_two_hosts(machines, tmp_path, mode):
    fooldeap.run(EXPERIMENT, out=tmp_path / "alone", quiet=True)

    hosts = tmp_path / "hosts.txt"
    hosts.write_text("# name, workers\nfool-a 2\nfool-b 1\n")
    words = [f"executor={{name: scoop, workers: 1, mode: {mode}, hosts: {hosts}, ssh: {machines}}}", *given(EXPERIMENT)]
    empty = tmp_path / "empty.yaml"
    empty.write_text("name: cluster\n")
    command = [sys.executable, "-m", "fooldeap", "run", str(empty), *words, "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        inside("fool-head", *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    exposed, modes = set(), set()
    while process.poll() is None:
        exposed |= {(name, address) for name in ("fool-head", *HOSTS) for address in open_to_others(name)}
        modes |= modes_of_sockets()
        time.sleep(0.2)
    said, _ = process.communicate()
    assert process.returncode == 0, said

    workers = (tmp_path / "run/workers.csv").read_text()
    print(f"\n$ fooldeap run ... 'executor={{name: scoop, mode: {mode}, hosts: hosts.txt}}'\n{said}\n{workers}")
    shown = dict.fromkeys(("fool-head", *HOSTS), 0)
    for row in csv.DictReader(workers.splitlines()):
        shown[row["host"]] += int(row["images"])
    assert all(shown.values()), "evaluations were done on every machine"
    assert not exposed, "nothing but the SSH servers listens"
    assert modes == {0o600}, "the ends of the tunnels are for one user alone"
    assert not modes_of_sockets(), "and are cleared away"
    assert bits(tmp_path / "run") == bits(tmp_path / "alone")


def given(experiment):
    """An experiment as words of the command line."""
    import json

    return [f"{key}={json.dumps(value)}" for key, value in experiment.items()]
