"""Names and texts from outside, as they are shown: none moves the cursor, none is markup."""

import warnings
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY
from hostile import CONTROLS, ESCAPE, VARIED, harmless, layer, quoted, rewritten

from fooldeap import terminal_text
from fooldeap.configuration.writing import as_yaml
from fooldeap.report import latex

BAD = 'from fooldeap.plugin import mutation\n\n\n@mutation("bad")\ndef bad(images, rng):\n    """Be {0}."""\n    {1}\n'


@pytest.mark.parametrize(
    "text",
    [
        f"{quoted(ESCAPE)}: 1",
        f"name: {quoted(ESCAPE)}",
        f"mutation: {quoted(ESCAPE)}",
        f"mutation: {{name: gaussian, {quoted(ESCAPE)}: 1}}",
        f"mutation: {{name: gaussian, rate: {quoted(ESCAPE)}}}",
        f"plugins: [{quoted(ESCAPE)}]",
        f"base: {quoted(ESCAPE)}",
        f"classifier: {{name: keras, model: {quoted(ESCAPE + '.keras')}}}",
        f"dataset: {{name: npz, path: {quoted(ESCAPE)}}}",
        f"dataset: {{name: idx, folder: {quoted(ESCAPE)}}}",
        f"executor: {{name: scoop, workers: {quoted(ESCAPE)}}}",
        f"vary: {{selection: {{{quoted(ESCAPE)}: random}}}}",
        f"vary: {{{quoted(ESCAPE)}: [1, 2]}}",
        f"candidate: {quoted(ESCAPE)}\n{VARIED}",
        f"variants: {{{quoted(ESCAPE)}: {{}}, b: {{}}}}",
        f"a: *{ESCAPE}",
        f"a: !{ESCAPE} b",
        ESCAPE,
    ],
)
def test_no_file_moves_the_cursor(text, owned, tmp_path, capfd):
    Path("mail.yaml").write_text(text)
    for command in ("run", "compare", "train"):
        assert call(command, "mail.yaml") == 2
        assert harmless(capfd).startswith("fooldeap: ")


def test_no_name_of_a_file_moves_the_cursor(owned, tmp_path, capfd):
    folder = Path(f"{ESCAPE}[bold]x\n\u202e")
    folder.mkdir()
    file, text = folder / f"{ESCAPE}.py", as_yaml({**TINY, "stop": {"evaluations": 20}, "reporters": ["console"]})
    file.write_text(BAD.format("x", "return images"))
    (folder / "mail.yaml").write_text(text)
    out, also = folder / "out", ["--plugins", KIT, "--plugins", file]
    assert call("run", folder / "mail.yaml", "targets=[1]", *also, "--out", out) == 0
    assert "[bold]x" in harmless(capfd), "nothing is markup"
    assert call("run", folder / "mail.yaml", "targets=[1]", *also, "--out", out) == 2
    assert call("run", "--resume", out) == 0
    assert call("run", folder / "none.yaml") == 2
    assert call("plugins", "show", "bad", "--plugins", file) == 0
    assert call("plugins", "check", file) in (0, 1)
    harmless(capfd)


def test_a_name_that_is_no_text(owned, tmp_path, capfd):
    folder = Path("\udcff")
    folder.mkdir()
    (folder / "bad.py").write_text(BAD.format("x", "return images"))
    (folder / "mail.yaml").write_text("plugins: [bad.py]\nmutation: bad\n")
    assert call("run", folder / "mail.yaml") == 2
    assert call("run", folder / "mail.yaml", "--plugins", folder / "bad.py") == 2
    assert harmless(capfd).count("expected UTF-8; rename the file") == 2


def test_no_word_on_the_command_line_moves_the_cursor(owned, capfd):
    Path("x.yaml").touch()
    for words in (["run", ESCAPE], ["run", "x.yaml", f"{ESCAPE}=1"], ["run", "x.yaml", f"name={ESCAPE}"], [ESCAPE]):
        assert call(*words) == 2
    assert call("run", "x.yaml", f"--{ESCAPE}") == 2
    assert call("run", "x.yaml", "--workers", ESCAPE) == 2
    assert call("plugins", "show", ESCAPE) == 2
    assert call("plugins", "list", ESCAPE) == 2
    assert call("plugins", "new", "mutation", ESCAPE) == 2
    harmless(capfd)


@pytest.mark.parametrize(
    "does",
    [
        "raise ValueError({0!r})",
        "import warnings, fooldeap.errors as e; warnings.warn({0!r}, e.FooldeapWarning); return images",
    ],
)
def test_errors_of_plugins_are_shown_without_control_characters(owned, tmp_path, capfd, does):
    Path("bad.py").write_text(BAD.format(ESCAPE, does.format(ESCAPE)))
    Path("x.yaml").write_text(as_yaml({**TINY, "mutation": "bad", "stop": {"evaluations": 60}, "targets": [1]}))
    with warnings.catch_warnings(action="always"):
        call("run", "x.yaml", "--plugins", KIT, "--plugins", "bad.py", "--out", "out")
    call("plugins", "list", "--plugins", "bad.py")
    call("plugins", "show", "bad", "--plugins", "bad.py")
    call("plugins", "check", "bad.py")
    Path("worse.py").write_text(f"raise ValueError({ESCAPE!r})")
    assert call("plugins", "list", "--plugins", "worse.py") == 2
    harmless(capfd)
    for log in Path("out").glob("*.log"):
        assert CONTROLS.isdisjoint(log.read_text().replace("\t", ""))


def test_no_variant_that_fails_moves_the_cursor(owned, tmp_path, capfd):
    Path("bad.py").write_text(BAD.format("x", f"raise ValueError({(ESCAPE + ' | ![x](http://x) <b>')!r})"))
    Path("x.yaml").write_text(
        as_yaml({**TINY, "targets": [1], "seeds": 2, "budget": 60}) + "vary: {mutation: [bad, random_pixels, invert]}\n"
    )
    with warnings.catch_warnings(action="always"):
        call("compare", "x.yaml", "--plugins", KIT, "--plugins", "bad.py", "--out", "out")
    harmless(capfd)
    report = Path("out/report.md").read_text()
    assert CONTROLS.isdisjoint(report)
    assert "\\x1b" in report
    assert r"![x]\(http://x) \<b>" in report
    assert CONTROLS.isdisjoint(Path("out/variants/bad/error.log").read_text())


def test_no_layer_of_a_model_moves_the_cursor(keras, owned, tmp_path, capfd):
    name = f"layer{ESCAPE}"
    part = {"module": "evil", "class_name": name, "config": {"name": name}, "registered_name": None}
    rewritten(keras, tmp_path / "model.keras", layer(part))
    for change in (
        part,
        {**part, "module": "keras.layers"},
        {**part, "class_name": "Conv2D", "module": "keras.layers"},
    ):
        rewritten(keras, tmp_path / "model.keras", layer(change))
        Path("x.yaml").write_text("classifier: {name: keras, model: model.keras}\n")
        assert call("run", "x.yaml") == 2
        assert harmless(capfd).count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é ∞ 15\u202f800 ½", "plain é ∞ 15\u202f800 ½"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31m\x9b\x07\r\x7f", r"\x1b[31m\x9b\x07\r\x7f"),
        ("\u202eevil\u2028\u200b\ufeff", r"\u202eevil\u2028\u200b\ufeff"),
        ("\udcff\ud800", r"\udcff\ud800"),
        (ValueError("x\x00"), r"x\x00"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert terminal_text.printable(text) == shown


def test_every_line_of_a_message_has_the_prefix(capsys):
    terminal_text.tell("one\nfooldeap: two\x85three\r\u2028four")
    assert capsys.readouterr().err == "fooldeap: one\nfooldeap: fooldeap: two\\x85three\\r\\u2028four\n"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a | b", r"a \| b"),
        ("[x](http://x)", r"[x]\(http://x)"),
        ("![x][y]\n[y]: http://x", r"![x]\[y] [y]\: http://x"),
        ("<script> 1 < 2", r"\<script> 1 < 2"),
        ("`*x*`", r"\`\*x\*\`"),
        ("_x_ of map_elites", r"\_x\_ of map_elites"),
        ("&lt; &#60; a & b", r"\&lt; \&#60; a & b"),
        ("98.7 % [95.3, 99.6]", "98.7 % [95.3, 99.6]"),
        ("\x1b[2J", r"\\x1b[2J"),
    ],
)
def test_nothing_is_markdown(text, markdown):
    assert terminal_text.markdown(text) == markdown


def test_nothing_is_latex():
    assert latex._escaped("\\input{/etc/passwd} $x$ %\x1b") == (
        r"\textbackslash{}input\{/etc/passwd\} \$x\$ \%\textbackslash{}x1b"
    )
