"""Run folders that came by mail: odd content is told in a line, and nothing outside them is touched."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY
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
