"""A bit that flipped in any file: found and named, or without a consequence; never a wrong result silently."""

import json
import random
import shutil
import socket
import subprocess

import pytest
from failing import EVERY, SEED, Small, sample
from helpers.experiments import bits, tiny
from helpers.query_logs import check_adds_up
from helpers.resuming import interrupted
from test_journal_cuts import PLAIN, evolved
from test_write_faults import STUDY, study_bits

import fooldeap
from fooldeap.engine.evolution import Run
from fooldeap.errors import FooldeapError, InputError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import problems_in
from fooldeap.study import figures

pytestmark = pytest.mark.slow

PLACES = 40 if EVERY else 5  # in a file, beside its first and its last byte


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Small(tmp_path_factory.mktemp("small"))


def names(folder):
    """Return the files of a folder that have a checksum, and the list of them; the page has none."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name != "report.html")


def flips(content, name, places=PLACES):
    """Yield contents with a bit flipped: in the first byte, in the last, and somewhere."""
    chance = random.Random(f"{SEED} {name}")
    for place in {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(places))}:
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        yield bytes(flipped)


# --- Finished folders -----------------------------------------------------------------------------------------------


def test_bit_flip_in_a_finished_run_is_named(small, tmp_path):
    path = small.new(tmp_path / "run", small.whole)
    assert problems_in(path) == []
    assert len(names(path)) >= 13
    check_every_flip_is_named(path)


def check_every_flip_is_named(path):
    for name in names(path):
        content = (path / name).read_bytes()
        for flipped in flips(content, name):
            (path / name).write_bytes(flipped)
            found = problems_in(path)
            assert found, name
            if name != "SHA256SUMS":
                assert found == [f"{name}: was changed: it does not match SHA256SUMS"]
        (path / name).write_bytes(content)
    assert problems_in(path) == []


def test_added_and_removed_files_are_named(small, tmp_path):
    path = small.new(tmp_path / "run", small.whole)
    (path / "log.csv").unlink()
    (path / "images/7.png").write_text("x")
    (path / "images/1.png").unlink()
    (path / "images/1.png").symlink_to(small.whole / "images/1.png")
    (path / "elsewhere").symlink_to(small.whole)
    assert problems_in(path) == [
        "elsewhere: is not in SHA256SUMS",
        "images/1.png: is not a regular file",
        "images/7.png: is not in SHA256SUMS",
        "log.csv: is missing",
    ]
    (path / "SHA256SUMS").unlink()
    assert problems_in(path) == ["SHA256SUMS: is missing; the folder is not finished, or the file was removed"]


def test_a_list_leads_nowhere_else(small, tmp_path):
    path = small.new(tmp_path / "run", small.whole)
    with (path / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../begun/config.yaml\n{'0' * 64}  /dev/zero\nnonsense\n")
    found = problems_in(path)
    assert found[1:] == ["../begun/config.yaml: is missing", "/dev/zero: is missing"]
    assert found[0].endswith("is damaged")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_sha256sum_agrees(small, tmp_path):
    path = small.new(tmp_path / "run", small.whole)
    odd = "a \\ b\nc ö.txt"
    (path / odd).write_text("a file of somebody's reporter")
    for unsealed in ("result.json", "SHA256SUMS"):
        (path / unsealed).unlink()
    small.go_on(path)
    assert problems_in(path) == []
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(names(path)) - 1
    (path / odd).write_text("another")
    assert [problem.startswith(odd) for problem in problems_in(path)] == [True]


# --- Unfinished runs ------------------------------------------------------------------------------------------------


def unfinished(small, path):
    """Make the folder of a killed session, with all that one may leave."""
    small.unfinished(path)
    (path / ".lock").write_text(json.dumps({"process": 2**22, "host": "here", "since": "long ago"}))
    (path / "journal/.token").write_text("abc")
    (path / f".fooldeap-{socket.gethostname()}-4194305-0.part").write_text("abc")
    return path


def test_bit_flip_in_an_unfinished_run_is_named_or_harmless(small, tmp_path, monkeypatch):
    monkeypatch.setattr("fooldeap.storage.lock.socket.gethostname", lambda: "here")
    begun = unfinished(small, tmp_path / "begun")
    fooldeap.resume(small.new(tmp_path / "whole", begun), quiet=True)
    assert bits(tmp_path / "whole") == small.bits
    assert names(tmp_path / "whole") == names(small.whole)
    refused = set()
    for name in names(begun):
        for number, flipped in enumerate(flips((begun / name).read_bytes(), name)):
            path = small.new(tmp_path / f"{name.replace('/', '-')}-{number}", begun)
            (path / name).write_bytes(flipped)
            try:
                fooldeap.resume(path, quiet=True)
            except FooldeapError as error:
                assert str(path / name) in str(error) or name == "environment.json"  # noqa: PT017
                refused.add(name)
            else:
                assert bits(path) == small.bits, name
                assert problems_in(path) == []
                check_adds_up(path)
            shutil.rmtree(path)
    assert {"config.yaml", "timings.csv", "environment.json"} <= refused
    assert any(name.startswith("journal/") for name in refused)


def test_another_seed_in_the_configuration_is_refused_with_the_cure(small, tmp_path):
    path = small.unfinished(tmp_path / "run")
    text = (path / "config.yaml").read_text()
    assert "seed: 1\n" in text
    (path / "config.yaml").write_text(text.replace("seed: 1\n", "seed: 3\n"))
    cure = f"start a new folder with it: fooldeap run {path}/config.yaml"
    with pytest.raises(InputError, match=rf"config.yaml: does not match its checksum in environment.json; {cure}"):
        fooldeap.resume(path, quiet=True)


def test_bit_flip_in_a_journal_is_named_or_harmless(tmp_path):
    prepared = ExperimentSession(
        tiny(targets=[0], algorithm={"name": "generational", "population": 4}, **PLAIN), rows=64
    )
    (tmp_path / "journal").mkdir()
    expected = evolved(prepared, tmp_path / "journal")
    path = next((tmp_path / "journal").iterdir())
    whole, named = path.read_bytes(), 0
    for bit in sample(range(8 * len(whole)), 800, "journal"):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert evolved(prepared, tmp_path / "journal") == expected, bit
        except InputError as error:
            assert f"{path}: damaged at byte " in str(error)  # noqa: PT017
            assert path.read_bytes() == flipped, "it is left as it was"
            named += 1
    assert named


def test_bit_flip_in_the_recorded_stop_of_the_clock_is_named_or_harmless(tmp_path):
    stop = {"evaluations": None, "confidence": None, "seconds": 0.02, "generations": 100_000}
    prepared = ExperimentSession(tiny(targets=[0], stop=stop, reporters=[]), rows=64)
    (tmp_path / "journal").mkdir()
    evolved(prepared, tmp_path / "journal")
    path = next((tmp_path / "journal").iterdir())
    whole = path.read_bytes()
    for bit in range(8 * (len(whole) - 16), 8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(InputError, match="damaged at byte"):
            evolved(prepared, tmp_path / "journal")


# --- Studies --------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setattr(figures, "draw", lambda *_: {"convergence.png": b"a picture"})  # seconds of drawing


def test_bit_flip_in_an_unfinished_study_is_named_or_harmless(tmp_path, drawn):
    begun = tmp_path / "begun"
    with interrupted(Run, "finish_generation", after=25):  # of its four runs two have ended
        fooldeap.compare({**STUDY, "concurrent_runs": 1}, out=begun, quiet=True)
    assert 0 < len(list(begun.glob("variants/*/records/*"))) < 4
    assert list(begun.glob("journal/*/*"))
    shutil.copytree(begun, tmp_path / "whole")
    fooldeap.compare(resume=tmp_path / "whole", quiet=True)
    expected, refused = study_bits(tmp_path / "whole"), set()
    for name in names(begun):
        for number, flipped in enumerate(flips((begun / name).read_bytes(), name, PLACES // 2)):
            path = tmp_path / f"{name.replace('/', '-')}-{number}"
            shutil.copytree(begun, path)
            (path / name).write_bytes(flipped)
            try:
                fooldeap.compare(resume=path, quiet=True)
            except FooldeapError as error:
                assert str(path / name) in str(error) or name == "environment.json"  # noqa: PT017
                refused.add(name)
            else:
                assert study_bits(path) == expected, name
            shutil.rmtree(path)
    for kind in ("study.yaml", "environment.json", "variants/", "records", "images", "journal"):
        assert any(kind in name for name in refused), kind


def test_bit_flip_in_a_finished_study_is_named(tmp_path, drawn):
    path = fooldeap.compare(STUDY, out=tmp_path / "study", quiet=True).folder
    assert problems_in(path) == []
    check_every_flip_is_named(path)
    for name in ("study.yaml", "design.json"):
        content = (path / name).read_bytes()
        (path / name).write_bytes(next(flips(content, name)))
        with pytest.raises(InputError, match=rf"{name}: does not match its checksum"):
            fooldeap.compare(resume=path, quiet=True)
        (path / name).write_bytes(content)
    before = (path / "SHA256SUMS").read_bytes()
    fooldeap.compare(None, "seeds=2", resume=path, quiet=True)
    assert problems_in(path) == []
    assert (path / "SHA256SUMS").read_bytes() != before
    fooldeap.compare(resume=path, quiet=True)
    assert problems_in(path) == []
