"""Kill a command with SIGKILL just before each of its calls that write, and see that it can always be finished.

``kill_sweep.py JOB FOLDER CHOSEN`` prints a summary as JSON. For each call, in a new folder: the command is killed
there. Then the same command is tried again, and if that is refused, the command that its message prints. One of the two
must end with exit code 0 and leave exactly the files that an undisturbed command leaves. A call that writes bytes is
tried again with half of its bytes written. Journals are written ten times a second, so the number of calls varies: a
command that ends before its call must leave the same files, too. CHOSEN is a number, of calls that are always the same
sample, or a part of all calls, from ``0/4`` to ``3/4``.

The commands run in forks of this process, which has imported everything: a fresh start would take a second each time,
and three with TensorFlow. TensorFlow may be imported before a fork, but its devices must not be opened.
"""

import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
KIT = HERE.parent / "kit"
WRITING = ("open", "write", "pwrite", "fsync", "ftruncate", "replace", "rename", "mkdir", "rmdir", "unlink", "chmod")
BYTES = ("write", "pwrite")
VOLATILE = ("environment.json", "timings.csv", "queries.csv", "workers.csv", "calibration.json", "SHA256SUMS")
SECONDS = re.compile(rb'"seconds": [0-9.e+-]+|\| [0-9.]+ \|$|^ +"[0-9]+\.[0-9]"$', re.MULTILINE)

EXPERIMENT = """
name: swept
classifier: tiny
plugins: [{kit}]
targets: [0, 1]
algorithm: {{name: generational, population: 8}}
stop: {{evaluations: 60, confidence: null}}
reporters: [csv, images]
"""
STUDY = """
classifier: tiny
plugins: [{kit}]
algorithm: {{name: generational, population: 8}}
vary: {{selection: {{strong: {{name: tournament, size: 6}}, none: random}}}}
targets: [0, 2]
seeds: 1
goal: {{confidence: 0.9999}}
budget: 60
"""
AUDIT = """
plugins: [{kit}]
classifier: billable
"""
NETWORK = """
name: tiny
seed: 3
dataset: stripes
layers:
  - Flatten
  - Dense: {{units: 2, activation: softmax}}
epochs: 3
batch_size: 32
validation: 16
"""
RETRAINING = """
name: chain
training: network.yaml
networks: 2
plugins: [{here}/stripes.py]
algorithm: {{name: generational, population: 8}}
stop: {{confidence: 0.97, evaluations: 40}}
"""
TRAINING = NETWORK + "plugins: [{here}/stripes.py]"
FILES = {
    "run.yaml": EXPERIMENT,
    "study.yaml": STUDY,
    "audit.yaml": AUDIT,
    "network.yaml": NETWORK,
    "training.yaml": TRAINING,
    "retrain.yaml": RETRAINING,
}
# The command, and the command that is run once before it.
JOBS = {
    "run": ("run run.yaml --out out", None),
    "extend": ("run --resume done stop.evaluations=91 seeds=2", "run run.yaml --out done"),
    "compare": ("compare study.yaml --out out", None),
    "audit": ("audit audit.yaml --budget 20 --classes 0,1 --out out", None),
    "report": ("report done", "run run.yaml --out done"),
    "report study": ("report done", "compare study.yaml --out done"),
    "export npz": ("export done --npz out.npz", "run run.yaml --out done"),
    "export png": ("export done --png out", "run run.yaml --out done"),
    "export both": ("export done --npz out.npz --png out", "run run.yaml --out done"),
    "train": ("train training.yaml --out out.keras", None),
    "retrain": ("retrain retrain.yaml smoke=true --out out", None),
}


class Killer:
    """Counts calls that write below a folder, and kills the process just before the n-th.

    With ``half``, only calls that write bytes are counted, and half of the bytes of the n-th are written.
    """

    def __init__(self, folder, number, half):
        self.folder, self.number, self.half = str(folder), number, half
        self.calls, self.counted, self.inside, self.descriptors = [], 0, 0, set()

    def install(self):
        for name in WRITING:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        sys.addaudithook(self._audit)

    def _wrapped(self, name, function):
        def call(*arguments, **more):
            if self._counts(name, arguments):
                self._step(name, function, arguments)
            self.inside += 1
            try:
                result = function(*arguments, **more)
            finally:
                self.inside -= 1
            if name == "open" and self._is_below(arguments[0]):
                self.descriptors.add(result)
            return result

        return call

    def _counts(self, name, arguments):
        if name == "open":
            return self._is_below(arguments[0]) and arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) != 0
        if isinstance(arguments[0], int):
            return arguments[0] in self.descriptors
        return self._is_below(arguments[0])

    def _is_below(self, path):
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return str(Path(os.fsdecode(path)).absolute()).startswith(f"{self.folder}/")

    def _audit(self, event, arguments):
        """See also what is opened for writing by other ways than `os.open`."""
        if event != "open" or self.inside or not isinstance(arguments[1], str):
            return
        if set(arguments[1]) & set("wax+") and self._is_below(arguments[0]):
            self._step("open", None, ())

    def _step(self, name, function, arguments):
        self.calls.append(name)
        if self.half and name not in BYTES:
            return
        self.counted += 1
        if self.counted == self.number:
            if self.half:
                function(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], *arguments[2:])
            os.kill(os.getpid(), signal.SIGKILL)


def perform(words, folder, number, half):
    """Run a command in this process, which ends with it."""
    code, said, made = 3, folder.parent / "said", folder.parent / "calls"
    try:
        os.chdir(folder)
        with said.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        killer = Killer(folder, number, half)
        killer.install()
        from fooldeap import cli

        try:
            cli.main(words)
        except SystemExit as exit_:
            code = exit_.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
        made.write_text(json.dumps(killer.calls))
    finally:
        os._exit(code)


def run(words, folder, number=0, half=False):
    """Run a command in a process of its own; return its exit code, what it said, and its calls that wrote."""
    said, made = folder.parent / "said", folder.parent / "calls"
    made.write_text("[]")
    process = os.fork()
    if process == 0:
        perform(words, folder, number, half)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), said.read_text(errors="replace"), json.loads(made.read_text())


def files_in(folder):
    """Return the files of a folder that must not depend on interruptions, by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == ".lock":  # of a process that was killed: it keeps nobody out
            continue
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes() if path.is_file() else b""
        if path.name == "report.html":
            content = b"a page"  # it has times and sessions
        found[name] = "" if path.name in VOLATILE else hashlib.sha256(SECONDS.sub(b"", content)).hexdigest()
    return found


class Sweep:
    """One command, killed at each of its calls that write."""

    def __init__(self, job, place):
        command, before = JOBS[job]
        self.words, self.place, self.folder = shlex.split(command), place, place / "work"
        self.start, self.kills = place / "start", 0
        self.start.mkdir(parents=True)
        for name, content in FILES.items():
            (self.start / name).write_text(content.format(kit=KIT, here=HERE))
        if before is not None:
            self.folder = self.start
            self._run(shlex.split(before))
            self.folder = place / "work"
        self._begin()
        self.calls = self._run(self.words)
        self.expected = files_in(self.folder)

    def cases(self, chosen):
        """Return the calls to kill at, and whether half of the bytes are written first."""
        every = [(number, False) for number in range(1, len(self.calls) + 1)]
        every += [(number, True) for number in range(1, sum(name in BYTES for name in self.calls) + 1)]
        if "/" in chosen:
            part, parts = map(int, chosen.split("/"))
            return every[part::parts]
        return sorted(random.Random(self.words[0]).sample(every, min(int(chosen), len(every))))

    def problem(self, number, half):
        """Kill the command at a call, finish it, and return what is wrong, None if nothing is."""
        self._begin()
        code, said, _ = run(self.words, self.folder, number, half)
        if code == -signal.SIGKILL:
            self.kills += 1
            code, said, _ = run(self.words, self.folder)
        if code != 0:
            printed = re.findall(r"fooldeap \w+ --resume [^\s;,]+", said)
            if not printed:
                return f"ends with {code} and prints no command: {said}"
            code, said, _ = run(shlex.split(printed[-1])[1:], self.folder)
            if code != 0:
                return f"{printed[-1]!r} ends with {code}: {said}"
        found = files_in(self.folder)
        names = sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name))
        return f"other files: {names[:5]}" if names else None

    def _begin(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.start, self.folder)

    def _run(self, words):
        code, said, calls = run(words, self.folder)
        assert code == 0, said
        return calls


def main():
    """Sweep one command."""
    job, place, chosen = sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3]
    import fooldeap.audit.session
    import fooldeap.cli
    import fooldeap.result_tools.export
    import fooldeap.result_tools.pages
    import fooldeap.study.figures

    if job in ("train", "retrain"):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import keras  # noqa: F401
    if "compare" in job or "study" in job:  # drawing takes longer than everything else
        fooldeap.study.figures.draw = lambda *_: {"convergence.png": b"a picture"}
    sweep = Sweep(job, place)
    cases = sweep.cases(chosen)
    problems = [
        f"{number}{' half' if half else ''}: {problem}"
        for number, half in cases
        if (problem := sweep.problem(number, half)) is not None
    ]
    print(json.dumps({"job": job, "calls": len(sweep.calls), "kills": sweep.kills, "problems": problems}))


if __name__ == "__main__":
    main()
