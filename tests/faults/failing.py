"""A file layer that fails where it is told to, small experiments to try it on, and what a sample of cases is."""

import errno
import gc
import os
import random
import re
import shutil
from pathlib import Path

from helpers.experiments import ROOT, bits, tiny
from helpers.query_logs import check_adds_up

from fooldeap.errors import FileError, FooldeapError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage import files, inputs

EVERY = "FOOLDEAP_FAULTS" in os.environ  # `make faults` tries every case, `make test` some
SEED = os.environ.get("FOOLDEAP_TEST_SEED", "faults")

WRITING = ("open", "pwrite", "fsync", "ftruncate", "replace", "mkdir", "unlink")
KINDS = {  # what the fault is, which calls it hits, and whether those after it fail as well
    "full disk": (errno.ENOSPC, ("open", "pwrite", "fsync", "mkdir"), True),
    "read-only": (errno.EROFS, WRITING, True),
    "one error": (errno.EIO, (*WRITING, "pread", "read", "close"), False),
    "short write": (None, ("pwrite",), False),
    "short write on a full disk": (errno.ENOSPC, ("pwrite",), True),
}


class Failing:
    """`os` as files are read and written through it, which fails at the n-th call that its kind of fault may hit.

    ``failed`` counts the calls that did.
    """

    def __init__(self, kind, number):
        self.kind, self.number, self.failed = kind, number, 0
        self.code, self.names, self.lasting = KINDS[kind]

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags, *mode):
        if self.kind not in ("one error",) and flags & os.O_ACCMODE == os.O_RDONLY:
            return os.open(path, flags, *mode)  # what is only read can be read on such a disk
        return self._call("open", path, flags, *mode)

    def pwrite(self, descriptor, content, start):
        if self.kind.startswith("short") and self.number == 1:
            self.number, self.failed = 0, 1
            return os.pwrite(descriptor, content[: len(content) // 2], start)
        return self._call("pwrite", descriptor, content, start)

    def close(self, descriptor):
        os.close(descriptor)  # as the kernel does, whatever it says
        self._call("close")

    def fsync(self, descriptor):
        self._call("fsync")  # nobody pulls the plug in these tests

    def _call(self, name, *arguments):
        if name in self.names:
            self.number -= 1
            if self.code is not None and (self.number == 0 or (self.lasting and self.number < 0)):
                self.failed += 1
                raise OSError(self.code, os.strerror(self.code))
        return getattr(os, name)(*arguments) if arguments else None


class Killed(BaseException):
    """As a signal that ends the process: nothing is written after it."""


class Killing(Failing):
    """`os` as `fooldeap.storage.files` uses it in a process that is killed just before its n-th writing call."""

    def __init__(self, number):
        super().__init__("read-only", number)

    def _call(self, name, *arguments):
        if name in (*WRITING, "fsync"):
            self.number -= 1
            if self.number <= 0:
                self.failed += 1
                raise Killed
        return getattr(os, name)(*arguments) if arguments else None


for _name in ("ftruncate", "replace", "mkdir", "unlink", "pread", "read"):
    setattr(Failing, _name, lambda self, *arguments, _name=_name: self._call(_name, *arguments))


def failing(monkeypatch, kind, number):
    """Have the files of fooldeap fail from now on, and return what does it."""
    layer = Failing(kind, number)
    for module in (files, inputs):
        monkeypatch.setattr(module, "os", layer)
    return layer


def killed(monkeypatch, work, number):
    """Do a piece of work in a process that is killed just before its n-th writing call; return whether it was."""
    before = set(_open_files())
    with monkeypatch.context() as patch:
        layer = Killing(number)
        patch.setattr(files, "os", layer)
        try:
            work()
        except BaseException:
            if not layer.failed:
                raise
    gc.collect()  # what is left of the work ends here, and the kernel closes its files
    for descriptor in set(_open_files()) - before:
        os.close(int(descriptor.name))
    return bool(layer.failed)


def calls(kind, work):
    """Return how many calls of a piece of work a kind of fault may hit; ``kind`` may be a layer that counts them."""
    layer, far = Failing(kind, 10**9) if isinstance(kind, str) else kind, files.os
    files.os = inputs.os = layer
    try:
        work()
    finally:
        files.os = inputs.os = far
    return 10**9 - layer.number


def sample(cases, count, name):
    """Return some of the cases, always the same; or all, for `make faults`."""
    cases = list(cases)
    return cases if EVERY or len(cases) <= count else sorted(random.Random(f"{SEED} {name}").sample(cases, count))


class Small:
    """An experiment of a moment: two runs of a population of 8."""

    def __init__(self, place, **changes):
        given = {"targets": [0, 1], "stop": {"evaluations": 60, "confidence": None}, "reporters": ["csv", "images"]}
        self.experiment = tiny(algorithm={"name": "generational", "population": 8}, **{**given, **changes})
        self.prepared = ExperimentSession(self.experiment, rows=64)
        self.begun, self.whole = place / "begun", place / "whole"
        RunFolder.create(self.experiment, self.begun)
        shutil.copytree(self.begun, self.whole)
        self.go_on(self.whole)
        self.bits = bits(self.whole)

    def new(self, path, of=None):
        """Copy a folder, by default one that was just made."""
        shutil.copytree(of or self.begun, path)
        return path

    def go_on(self, path):
        """Resume a folder."""
        return self.prepared.run(RunFolder.open(path), resumed=True)

    def unfinished(self, path, share=0.6):
        """Make a folder whose journals end somewhere on the way."""
        self.new(path, self.whole)
        for name in ("result.json", "SHA256SUMS", "table.md", "workers.csv"):
            (path / name).unlink()
        shutil.rmtree(path / "images")
        for journal in path.glob("journal/*"):
            journal.write_bytes(journal.read_bytes()[: int(share * journal.stat().st_size)])
        return path

    def check_ends_well(self, path):
        """Assert that a folder is resumed to the same bits, and is whole then."""
        if not (path / "result.json").exists():
            self.go_on(path)
        assert bits(path) == self.bits
        assert problems_in(path) == []
        check_adds_up(path)
        assert not [left for left in path.rglob(".*") if left.name != ".lock"]


def check_is_one_line(error, path, command="run"):
    """Assert that an error is one line, which names a source, or a file of the folder and how to continue."""
    assert isinstance(error, FooldeapError)
    assert "\n" not in str(error)
    if is_of_a_source(error):
        return
    assert str(path) in str(error)
    if isinstance(error, FileError) and "cannot be read" not in str(error):
        assert f"then resume with: fooldeap {command} --resume {path}" in str(error)
        assert error.exit_code == 1


def is_of_a_source(error):
    """Tell whether an error names a Python file that cannot be read; nothing in the folder is wrong then."""
    return re.search(rf"(^|: ){ROOT}/\S+\.py: cannot be read \(", str(error)) is not None


def descriptors():
    """Return how many files this process has open."""
    return len(_open_files())


def _open_files():
    """Return the links of all open files, but for the folder of these links."""
    links = list(Path("/proc/self/fd").iterdir())
    return [link for link in links if link.exists() or link.is_symlink()]
