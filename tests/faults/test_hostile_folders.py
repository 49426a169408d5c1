"""Run folders that came by mail: odd content is told in a line, and nothing outside them is touched."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY, resealed
from hostile import ESCAPE, VARIED, harmless, quoted

import fooldeap
from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder


@pytest.mark.parametrize("name", ["../up", "/up", "..", ".", "a/../../up", "a\\b", "a\0b", ".hidden", "-rf", ""])
def test_names_that_climb_out_are_refused(owned, tmp_path, capfd, name):
    Path("mail").mkdir()
    for text in (
        f"name: {quoted(name)}\n{VARIED}",
        f"vary: {{selection: {{{quoted(name)}: random, b: tournament}}}}\n",
    ):
        Path("mail/study.yaml").write_text(text)
        assert call("compare", "--resume", "mail") == 2
    Path("mail/config.yaml").write_text(f"name: {quoted(name)}\n")
    assert call("run", "--resume", "mail") == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.yaml", "mail", "study.yaml"]
    harmless(capfd)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small study, finished."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    source = {**TINY, "plugins": [str(KIT)], "targets": [1], "seeds": 2, "budget": 100, "goal": {"confidence": 0.5}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fooldeap.study.figures.draw", lambda *_: {})
        fooldeap.compare({**source, "vary": {"selection": ["random", "tournament"]}}, out=folder, quiet=True)
    return folder


DEEP = "[" * 100_000
ODD_JSON = [
    "",
    "null",
    "[]",
    "1",
    "{}",
    '{"rows": {}}',
    DEEP,
    '{"rows": 1e999}',
    '"' + "x" * 10,
    "\0",
    "\xff" * 9,
    "NaN",
]


@pytest.mark.parametrize("name", ["summary.json", "runs.csv", "environment.json", "record"])
@pytest.mark.parametrize("text", [*ODD_JSON, 'a,b\n"' + "x" * 200_000, "variant,target,seed\n../../x,1,1\n"])
def test_odd_content_in_a_folder_is_a_line_or_nothing(finished, tmp_path, capfd, name, text):

    folder = shutil.copytree(finished, tmp_path / "study")
    record = sorted(folder.glob("variants/*/records/*.json"))[0]
    (record if name == "record" else folder / name).write_text(text, encoding="latin-1")
    code = call("compare", "--resume", folder, "--quiet")
    said = harmless(capfd)
    assert code in (0, 2), said
    assert code == 0 or "damaged" in said, said
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_record_that_names_files_elsewhere(finished, tmp_path, capfd):

    from PIL import Image

    folder = shutil.copytree(finished, tmp_path / "study")
    Image.new("L", (8, 8)).save(tmp_path / "1.png")
    record = sorted(folder.glob("variants/*/records/*.json"))[0]
    kept = json.loads(record.read_text())
    kept["runs"][0] |= {"variant": "../..", "image": "../../../1.png"}
    record.write_text(json.dumps(kept))
    assert call("compare", "--resume", folder, "--quiet") == 2
    assert "is damaged" in harmless(capfd)


def test_a_finished_run_with_odd_content_is_left_alone(owned, tmp_path, capfd):
    fooldeap.run({**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30}}, out="run", quiet=True)
    for text in ODD_JSON:
        Path("run/result.json").write_text(text, encoding="latin-1")
        assert call("run", "--resume", "run") in (0, 2)
    Path("run/result.json").unlink()
    for text in ODD_JSON:
        Path("run/calibration.json").write_text(text, encoding="latin-1")
        assert call("run", "--resume", "run", "--quiet") in (0, 2)
        Path("run/result.json").unlink(missing_ok=True)
    harmless(capfd)


def record(kind, body):
    """A record of a journal, its checksum right."""
    payload = kind + body
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


ANSWER = struct.Struct("<16sII")
NONSENSE = {
    "a header that is a list": [record(b"H", b"[]")],
    "a header that is deep": [record(b"H", DEEP.encode())],
    "a header that is no text": [record(b"H", b"\xff")],
    "a header of another kind": [record(b"Z", b"{}")],
    "an answer cut short": [record(b"A", b"x")],
    "an answer of very many rows": [record(b"A", ANSWER.pack(bytes(16), 2**32 - 1, 2**32 - 1))],
    "an answer of no rows": [record(b"A", ANSWER.pack(bytes(16), 0, 0))],
    "an answer of odd bytes": [record(b"A", ANSWER.pack(bytes(16), 1, 1) + b"xyz")],
    "an answer to other images": [record(b"A", ANSWER.pack(bytes(16), 1, 4) + bytes(16))],
    "an end that is no text": [record(b"E", b"\xff")],
    "an end with commands": [record(b"E", ESCAPE.encode())],
    "an unknown kind": [record(b"Z", b"")],
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_journal_of_nonsense(name, owned, tmp_path, capfd):
    data = {**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30, "confidence": None}}
    with ExperimentSession(config.load(data)) as prepared:
        folder = RunFolder.create(prepared.experiment, tmp_path / "mail")
        journal = folder.journal(prepared.runs[0])
        prepared.dispatcher.task.journal(prepared.runs[0], journal).close()
    header = journal.read_bytes()
    before = {path.name for path in tmp_path.iterdir()}
    for records in ([*NONSENSE[name]], [header, *NONSENSE[name]]):
        journal.write_bytes(b"".join(records))
        code = call("run", "--resume", folder.path, "--quiet")
        said = harmless(capfd)
        # An end where the run itself does not ask for one is passed over.
        assert code in (1, 2) or (records[0] == header and name.startswith("an end ") and code == 0), said
        assert "journal" in said
        shutil.rmtree(folder.path / "images", ignore_errors=True)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_verify_announces_the_plugins_of_a_foreign_folder(finished, capfd):
    assert call("verify", finished, "--no-plugins") == 2
    assert "which --no-plugins forbids" in capfd.readouterr().err
    assert call("verify", finished, "--sample", "1") == 0
    assert f"fooldeap: runs the plugins in {KIT}, named in {finished}/study.yaml\n" in capfd.readouterr().err


@pytest.fixture
def run_by_mail(tmp_path):
    """A finished run of somebody else, in the folder ``mail``."""
    data = {**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30, "confidence": None}}
    fooldeap.run(data, out=tmp_path / "mail", quiet=True)
    return tmp_path / "mail"


def test_a_hard_link_to_a_file_elsewhere_is_not_written_to(run_by_mail, tmp_path, capfd):
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    (run_by_mail / ".lock").hardlink_to(notes)
    assert call("report", run_by_mail) == 1
    assert f"{run_by_mail}/.lock: is a hard link to another file; " in harmless(capfd)
    (run_by_mail / ".lock").unlink()
    (run_by_mail / "result.json").unlink()
    journal = next(run_by_mail.glob("journal/*.journal"))
    kept = tmp_path / "other.journal"
    kept.hardlink_to(journal)
    content = kept.read_bytes()
    assert call("run", "--resume", run_by_mail, "--quiet") == 1
    assert f"{journal}: is a hard link to another file; " in harmless(capfd)
    assert (kept.read_bytes(), notes.read_text()) == (content, "mine")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("environment.json", '"python": "3', '"python": "\\ud800'),
        ("result.json", '"evaluations": 30', '"evaluations": 1e308'),
        ("result.json", '"evaluations": 30', f'"evaluations": {10**30}'),
        ("result.json", '"predicted": ', '"predicted": 1.5e400'),
    ],
)
@pytest.mark.parametrize("option", ["--npz", "--png"])
def test_odd_values_are_exported_or_refused_in_a_line(name, old, new, option, run_by_mail, tmp_path, capfd):
    path = run_by_mail / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    resealed(run_by_mail)
    assert call("export", run_by_mail, option, tmp_path / "out.npz") in (0, 2)
    harmless(capfd)


def test_odd_lists_in_the_environment_are_a_line(run_by_mail, capfd):
    (run_by_mail / "result.json").unlink()
    path = run_by_mail / "environment.json"
    kept = json.loads(path.read_text())
    for odd in (5, {"a": 1}, "text", None):
        path.write_text(json.dumps({**kept, "forced": odd}))
        assert call("run", "--resume", run_by_mail, "--quiet") in (0, 2)
        (run_by_mail / "result.json").unlink(missing_ok=True)
    harmless(capfd)


@pytest.mark.parametrize("key", ["packages", "plugins"])
def test_an_environment_without_versions_is_damaged(key, run_by_mail, capfd):
    path = run_by_mail / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: 5}))
    resealed(run_by_mail)
    assert call("verify", run_by_mail) == 2
    assert f"{path}: is damaged " in harmless(capfd)


def test_a_batch_size_that_is_no_integer_is_measured_again(run_by_mail):
    (run_by_mail / "result.json").unlink()
    (run_by_mail / "calibration.json").write_text('{"rows": 32.0}')
    assert RunFolder(run_by_mail).rows is None
    assert fooldeap.resume(run_by_mail, quiet=True).evaluations == 30


def test_a_long_value_of_a_file_is_shortened(run_by_mail, capfd):
    path = run_by_mail / "result.json"
    path.write_text(path.read_text().replace("images/1.png", "A" * 100_000))
    resealed(run_by_mail)
    assert call("export", run_by_mail, "--png", run_by_mail.parent / "out") == 2
    assert len(harmless(capfd)) < 3000


def test_other_keys_are_refused_for_a_finished_run_too(run_by_mail, capfd):
    assert call("run", "--resume", run_by_mail, "seed=9") == 2
    assert "--resume: got 'seed=9', expected " in harmless(capfd)
