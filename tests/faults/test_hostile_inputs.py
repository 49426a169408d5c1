"""Pipes, devices, huge pictures and bombs, wherever a command reads a file: a line at once, and exit code 2."""

import io
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY, resealed
from hostile import at_most, harmless
from PIL import Image

import fooldeap
from fooldeap.audit import real
from fooldeap.errors import InputError
from fooldeap.report.model import Report
from fooldeap.report.pictures import Pictures

HUGE = 14_000  # pixels along a side: more than Pillow decodes, in a file of 200 kB
LONGEST = 120  # seconds, on a busy machine; a pipe blocks for ever
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{one}: &{one} [{','.join([f'*{before}'] * 9)}]\n" for before, one in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.fixture(scope="module")
def huge():
    content = io.BytesIO()
    Image.new("L", (HUGE, HUGE)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, without snapshots, so that its page shows the files of its images."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    fooldeap.run(
        {**TINY, "plugins": [str(KIT)], "targets": [1, 2], "stop": {"evaluations": 60}, "reporters": ["csv", "images"]},
        out=folder,
        quiet=True,
    )
    (folder / "snapshots.npz").unlink()
    resealed(folder)
    return folder


@pytest.fixture
def run(finished, owned, tmp_path):
    return shutil.copytree(finished, tmp_path / "mail")


def refused(capfd, *words):
    """Have a command refuse something in one line, and return the line."""
    begun = time.monotonic()
    assert call(*words) == 2
    assert time.monotonic() - begun < LONGEST
    lines = [line for line in harmless(capfd).splitlines() if ", named in " not in line]
    (line,) = lines
    return line


# --- Pictures -------------------------------------------------------------------------------------------------------


def test_a_page_with_a_huge_picture(run, huge, capfd):
    assert call("report", run) == 0
    capfd.readouterr()
    (run / "images/1.png").write_bytes(huge)
    resealed(run)
    assert "images/1.png: it has more than 67,108,864 pixels" in refused(capfd, "report", run)
    with pytest.raises(InputError, match="67,108,864 pixels"):
        fooldeap.load(run)


def test_an_export_of_a_huge_picture(run, huge, capfd):
    (run / "images/1.png").write_bytes(huge)
    resealed(run)
    assert "67,108,864 pixels" in refused(capfd, "export", run, "--png", "set")
    assert not Path("set").exists()


def test_a_folder_of_real_images_with_a_huge_one(huge, tmp_path):
    for index in range(real.MIN_IMAGES - 1):
        Image.new("L", (8, 8)).save(tmp_path / f"{index}.png")
    (tmp_path / "huge.png").write_bytes(huge)
    refused = pytest.raises(InputError, match=r"huge\.png: cannot read this picture \(it has more than")
    with at_most(megabytes=50), refused:
        real.load(str(tmp_path), (8, 8, 1))


def test_a_page_shows_no_more_images_than_it_has_room_for(run, monkeypatch):
    pictures = Pictures(run, most=100)
    shown = [pictures.image(f"images/{target}.png") for target in (1, 2, 1)]
    assert [each == "data:," for each in shown] == [False, False, True]  # 64 bytes each


# --- Pipes and devices ----------------------------------------------------------------------------------------------

NAMES = ("fifo", "/dev/zero", "/dev/tty", ".", "nowhere", "\0")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        "classifier: {name: keras, class_names: NAME}",
        "classifier: {name: callable, function: judge.py:judge, shape: [8, 8, 1], classes: 4, class_names: NAME}",
        "{classifier: tiny, dataset: {name: npz, path: NAME}}",
        "{classifier: tiny, dataset: {name: idx, folder: NAME}}",
        "{classifier: tiny, plugins: [NAME]}",
        "{classifier: tiny, base: NAME}",
    ],
)
def test_files_that_a_file_names(text, name, owned, capfd):
    os.mkfifo("fifo")
    Path("judge.py").write_text("def judge(images):\n    return images.reshape(len(images), -1)[:, :4] / 50\n")
    Path("mail.yaml").write_text(text.replace("NAME", json.dumps(name)))
    words = ("targets=[1]", "stop.evaluations=40", "--plugins", KIT, "--out", "run")
    line = refused(capfd, "run", "mail.yaml", *words)
    assert line.startswith("fooldeap: ")
    assert not Path("run/result.json").exists()


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "."])
@pytest.mark.parametrize("command", ["run", "compare", "retrain", "train", "audit"])
def test_files_that_a_command_names(command, name, owned, capfd):
    os.mkfifo("fifo")
    os.mkfifo("fifo.yaml")
    refused(capfd, command, "fifo.yaml" if name == "fifo" else name)


def test_real_images_that_are_no_file(owned, capfd):
    os.mkfifo("fifo")
    for name in ("fifo", "/dev/zero", "nowhere"):
        with pytest.raises(InputError):
            real.load(name, (8, 8, 1))


# --- YAML in folders ------------------------------------------------------------------------------------------------


def retrained(run):
    """A finished retraining of one network, made up from a run."""
    folder = run.with_name("retrained")
    shutil.copytree(run, folder / "networks/01/run")
    measures = {"network": 1, "images": 2, "reached": 1, "accuracy": 0.9}
    (folder / "summary.json").write_text(json.dumps([measures, measures]))
    (folder / "report.json").write_text(Report("x", "A report.").to_json())
    (folder / "retrain.yaml").write_text("name: x\n")
    (folder / "environment.json").write_text("{}")
    resealed(folder)
    return folder


def test_a_page_with_an_alias_bomb(run, capfd):
    folder = retrained(run)
    assert call("report", folder) == 0
    assert "<title>x" in (folder / "report.html").read_text()
    (folder / "retrain.yaml").write_text(BOMB)
    resealed(folder)
    begun = time.monotonic()
    with at_most(megabytes=300):
        assert call("report", folder) == 0
    assert time.monotonic() - begun < LONGEST
    assert "[1,1,1,1,1,1,1,1,1]" in (folder / "report.html").read_text()
    harmless(capfd)


ODD = ["", "null", "[]", "{}", "[" * 100_000, '{"runs": 1e999}', "\0", "\xff" * 9, 'a,b\n"' + "x" * 200_000, BOMB]
FILES = ["result.json", "config.yaml", "environment.json", "queries.csv", "log.csv", "calibration.json", "images/1.png"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_page_of_odd_content_is_a_line_or_nothing(name, text, run, capfd):
    (run / name).write_text(text, encoding="latin-1")
    resealed(run)
    for words in (("report", run), ("export", run, "--npz", "set.npz")):
        assert call(*words) in (0, 2)
        told = [line for line in harmless(capfd).splitlines() if line.startswith("fooldeap: ")]
        assert len(told) <= 1
