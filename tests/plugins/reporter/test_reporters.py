"""Reporters: output on the terminal, tables and pictures."""

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.experiments import KIT, ROOT, run, tiny
from PIL import Image

from fooldeap import registry
from fooldeap.errors import PluginError
from fooldeap.images.pictures import contact_sheets, growth
from fooldeap.results import Cost, ExperimentInfo, FoolingImage, LogRow, Result, RunInfo, RunResult
from fooldeap.runs.run_folder import RunFolder


def command(folder, *words):
    base = [sys.executable, "-m", "fooldeap", "run", str(ROOT / "configs/mnist.yaml"), "classifier=tiny"]
    return [*base, "stop.evaluations=600", "--plugins", str(KIT), "--out", str(folder), *words]


def test_output_without_a_terminal_is_plain_lines(tmp_path):
    done = subprocess.run(command(tmp_path / "run", "targets=[0,1]"), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == f"mnist: evolving 2 images in {tmp_path / 'run'}"
    assert any(line.startswith("  seed 1, target 0: seen as") for line in lines)
    assert "| target | predicted | confidence in target | score | evaluations |" in lines
    assert lines[-1].endswith(str(tmp_path / "run"))
    assert re.match(r"\d of 2 reached the goal; [\d,]+ evaluations in [\d.]+ s \([\d,]+ per second\); ", lines[-1])


def test_quiet_prints_nothing(tmp_path):
    done = subprocess.run(command(tmp_path / "run", "--quiet"), capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
    assert (tmp_path / "run/result.json").is_file()


def test_terminal_shows_bars_and_a_table(tmp_path):
    primary, secondary = pty.openpty()
    words = command(tmp_path / "run", "targets=[3]", "reporters=[{name: console, every: 0.001}]")
    process = subprocess.Popen(words, stdout=secondary, stderr=secondary, env={**os.environ, "TERM": "xterm-256color"})
    os.close(secondary)
    seen = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:  # the process has closed the terminal
            break
        seen += part
    os.close(primary)
    assert process.wait() == 0
    text = seen.decode()
    assert "━" in text
    assert "target 3" in text
    assert re.search(r"[\d,]+ evaluations, [\d,]+/s, < \d+ s left", text)
    assert "confidence" in text.rpartition("┏")[2]


def test_log_grows_during_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("fooldeap_plugins.reporter.csv.FLUSH_SECONDS", 0)
    seen = []

    class Peek(type(tiny().reporters[0].build())):
        def on_generation(self, run, row):
            super().on_generation(run, row)
            seen.append((tmp_path / "run/log.csv").stat().st_size)

    from fooldeap.plugin import dataclass, reporter

    peek = reporter("peek")(dataclass(Peek))
    from fooldeap.configuration import config

    experiment = tiny(targets=[0], stop={"generations": 50, "confidence": None})
    experiment = config.load(experiment, arguments={"reporters": ["peek"]}, plugins=[peek])
    run(experiment, tmp_path / "run")
    assert seen[-1] > seen[0]
    assert len((tmp_path / "run/log.csv").read_text().splitlines()) == 1 + 51


def test_error_of_a_reporter_names_it(tmp_path):
    from fooldeap.configuration import config
    from fooldeap.plugin import Reporter, dataclass, reporter

    @reporter("clumsy")
    @dataclass
    class Clumsy(Reporter):
        """Fails at the end."""

        def on_finish(self, result):
            raise ValueError("oh")

    experiment = config.load(tiny(targets=[0]), arguments={"reporters": ["clumsy"]}, plugins=[Clumsy])
    with pytest.raises(PluginError, match="reporter 'clumsy' raised ValueError in on_finish: oh"):
        run(experiment)


def result_of(shape, targets=(0, 1, 2), seeds=(1, 2)):
    rng = np.random.default_rng(0)
    runs = []
    for seed in seeds:
        for target in targets:
            image = FoolingImage(rng.integers(0, 256, shape, dtype=np.uint8))
            log = tuple(LogRow(seed, target, g, 10 * g + 10, g + 1.0, 0.5, 0.1, 0.1, g / 9, 3.0) for g in range(9))
            runs.append(RunResult(target, seed, target, 0.99, 9.0, 90, 80, {}, 8, "goal", image, log))
    return Result("made up", 1, {"confidence": 0.99}, 540, 1.0, tuple(runs))


@pytest.mark.parametrize(
    ("shape", "targets", "heights"),
    [
        ((28, 28, 1), 70, [14 * 280 + 12]),
        ((28, 28, 1), 71, [14 * 280 + 12, 292]),
        ((300, 300, 3), 111, [11 * 356 + 12, 11 * 356 + 12, 368]),
        ((4100, 40, 1), 6, [4168, 4168]),  # higher than a sheet
    ],
)
def test_images_that_do_not_fit_on_a_sheet_are_on_further_sheets(tmp_path, shape, targets, heights):
    result = result_of(shape, range(targets), [1])
    info = ExperimentInfo("many", (RunInfo(1, tuple(range(targets))),), {}, None, {}, RunFolder(tmp_path))
    images = registry.load().get("reporter", "images").build({})
    images.on_start(info)
    images.on_finish(result)
    names = ["contact_sheet.png", *(f"contact_sheet-{number}.png" for number in range(2, len(heights) + 1))]
    assert {path.name for path in (tmp_path / "images").iterdir()} == set(names)
    sheets = [np.asarray(Image.open(tmp_path / "images" / name)) for name in names]
    assert [len(sheet) for sheet in sheets] == heights
    first = result.runs[targets - 1 if len(sheets) > 1 else 0].image.pixels  # of the last sheet
    scale = max(1, 224 // max(shape[:2]))
    enlarged = np.broadcast_to(first.repeat(scale, 0).repeat(scale, 1), (scale * shape[0], scale * shape[1], 3))
    left = 12 + max(0, 224 - enlarged.shape[1]) // 2
    assert np.array_equal(sheets[-1][12 : 12 + len(enlarged), left : left + enlarged.shape[1]], enlarged)


GREEN, GREY, ORANGE = (26, 127, 55), (80, 88, 96), (179, 89, 0)


@pytest.mark.parametrize(
    ("reached", "predicted", "goal", "colour"),
    [
        (80, 0, {"confidence": 0.5}, GREEN),
        (None, 0, {"confidence": 0.5}, GREY),
        (None, 1, {"confidence": 0.5}, ORANGE),
        (None, 1, {}, GREEN),
    ],
)
def test_a_caption_on_a_sheet_is_orange_only_if_another_class_is_seen(reached, predicted, goal, colour):
    result = result_of((28, 28, 1), [0], [1])
    run = replace(result.runs[0], evaluations_to_goal=reached, predicted=predicted)
    (sheet,) = contact_sheets(replace(result, runs=(run,), goal=goal))
    drawn = {tuple(each) for each in np.asarray(Image.open(io.BytesIO(sheet)))[12 + 224 :].reshape(-1, 3)}
    assert drawn & {GREEN, GREY, ORANGE} == {colour}


def test_long_names_on_a_sheet_are_cut():
    result = result_of((28, 28, 1), [0, 1], [1])
    plain, named, longer = (
        np.asarray(Image.open(io.BytesIO(next(contact_sheets(replace(result, names=names))))))
        for names in ((), ("cat", "dog"), ("cat" * 50, "dog" * 50))
    )
    assert plain.shape == named.shape == longer.shape
    for one, other in ((plain, named), (named, longer)):
        assert not np.array_equal(one, other)
    assert (longer[12 + 224 :, 12 + 222 : 24 + 224] == 255).all()  # the right margin and the gap


def many_results(targets=30, seeds=(1,)):
    """Return a result in which target 7 has 99.995 % confidence, targets 3 and 9 have 60 %, and the others .5 %."""
    result = result_of((4, 4, 1), range(targets), seeds)
    special = {7: 0.99995, 3: 0.6, 9: 0.6}
    return replace(result, runs=tuple(replace(run, confidence=special.get(run.target, 0.005)) for run in result))


def test_a_summary_and_the_best_results_come_first_with_many_targets():
    result = many_results()
    lines = result.markdown().splitlines()
    assert lines[:3] == [
        "| classes | median confidence | mean confidence | classes at 50 % | classes at 90 % | classes at 99 % "
        "| classes at 99.99 % |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 30 | 0.500 % | 7.783 % | 3 | 1 | 1 | 1 |",
    ]
    best, every = (lines.index(each) for each in ("The 10 images with the highest confidence:", "All images:"))
    targets = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert targets[best + 4 : every - 1] == list("7390124568")
    assert targets[every + 4 :] == list(map(str, range(30)))
    assert result.markdown(brief=True).splitlines() == lines[: every - 1]


def test_a_class_counts_once_in_the_summary_with_several_seeds():
    assert list(many_results(seeds=(1, 2)).summary().values()) == ["30", "0.500 %", "7.783 %", "3", "1", "1", "1"]


def test_twenty_targets_have_one_table():
    lines = many_results(20).markdown().splitlines()
    assert lines[0] == "| target | predicted | confidence in target | score | evaluations |"
    assert len(lines) == 22


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_the_console_shows_ten_of_many_results(on_a_terminal, capsys, monkeypatch):
    if on_a_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "140")
    result = many_results()
    info = RunInfo(1, tuple(range(30)))
    console = registry.load().get("reporter", "console").build({"images": False})
    console.on_start(ExperimentInfo("many", (info,), result.goal, None, {}, None))
    console.on_run_end(list(result))
    capsys.readouterr()
    console.on_finish(result)
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().out)
    assert (
        text.index("median confidence")
        < text.index("The 10 images with the highest confidence")
        < text.index("99.995 %")
    )
    assert len(re.findall(r"not reached|\b80\b", text)) == 10


def test_the_console_draws_the_images_with_the_highest_confidence_at_the_end(capsys, monkeypatch):
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "60"}.items():
        monkeypatch.setenv(name, value)
    result = many_results()
    run = RunInfo(1, tuple(range(30)))
    console = registry.load().get("reporter", "console").build({})
    console.on_start(ExperimentInfo("many", (run,), result.goal, None, {}, None))
    console.on_run_end(list(result))
    capsys.readouterr()
    console.on_finish(result)
    pictures = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().out).rpartition("▀")
    captions = pictures[2].splitlines()[1]
    assert re.findall(r"(\d+) [\d.]+ %", captions) == list("0123456789")


@pytest.mark.parametrize(
    ("targets", "resumed", "cost", "line"),
    [
        (
            30,
            False,
            Cost(250_000, 100.0, 151_600_000),
            "estimate: up to 250,000 evaluations, at least 42 min at 100/s, at least 152 MB of memory for images",
        ),
        (30, False, Cost(9, 0.0, 100), "estimate: up to 9 evaluations, at least 1 MB of memory for images"),
        (30, True, Cost(9, 0.0, 100), None),
        (30, False, None, None),
        (20, False, Cost(9, 0.0, 100), None),
    ],
)
def test_the_console_estimates_the_cost_of_many_targets_first(targets, resumed, cost, line, capsys):
    console = registry.load().get("reporter", "console").build({})
    info = ExperimentInfo("many", (RunInfo(1, tuple(range(targets))),), {}, None, {}, None, resumed=resumed, cost=cost)
    console.on_start(info)
    first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("many: ")
    assert more == ([line] if line else [])


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_the_console_counts_the_classes_at_each_confidence(on_a_terminal, capsys, monkeypatch):
    if on_a_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "80")
    runs = [RunInfo(seed, (target,)) for seed in (1, 2) for target in range(30)]
    console = registry.load().get("reporter", "console").build({"images": False, "every": 1e-9})
    console.on_start(ExperimentInfo("many", tuple(runs), {}, None, {}, None))
    monkeypatch.setattr(console._pace, "due", lambda: True)
    capsys.readouterr()
    # Target 0 rises and falls, target 1 reaches a level with its second seed, and target 2 reaches the highest.
    for index, confidence in [(0, 0.6), (0, 0.1), (1, 0.4), (31, 0.95), (2, 0.9999), (32, 0.5)]:
        row = LogRow(runs[index].seed, runs[index].targets[0], 0, 10, 1, 1, 1, 1, confidence, 1)
        console.on_generation(runs[index], row)
    text = capsys.readouterr().out
    console.on_run_end([replace(many_results().runs[0], confidence=0.6)])
    assert "seed 1, target 0" not in capsys.readouterr().out
    console.on_abort()
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)
    found = re.findall(r"(\d+) at 50 %, (\d+) at 90 %, (\d+) at 99 %, (\d+) at 99.99 %", text)
    assert [tuple(map(int, counts)) for counts in found] == [
        (1, 0, 0, 0),
        (1, 0, 0, 0),
        (1, 0, 0, 0),
        (2, 1, 0, 0),
        (3, 2, 1, 1),
        (3, 2, 1, 1),
    ]


def test_plain_progress_shows_the_lowest_and_the_highest_confidence(capsys, monkeypatch):
    runs = [RunInfo(1, (target,)) for target in range(3)]
    console = registry.load().get("reporter", "console").build({"every": 1e-9})
    console.on_start(ExperimentInfo("few", tuple(runs), {}, None, {}, None))
    monkeypatch.setattr(console._pace, "due", lambda: True)
    capsys.readouterr()
    for target, confidence in [(0, 0.25), (2, 0.5), (1, 0.125), (1, 0.75)]:
        console.on_generation(runs[target], LogRow(1, target, 0, 10, 1, 1, 1, 1, confidence, 1))
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("; ")[2] for line in lines] == [
        "confidence 25 %",
        "confidence 25 % to 50 %",
        "confidence 12.500 % to 50 %",
        "confidence 25 % to 75 %",
    ]


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 1), (32, 20, 3), (300, 300, 3)])
def test_pictures_have_any_shape(shape):
    result = result_of(shape)
    (only,) = contact_sheets(result)
    with Image.open(io.BytesIO(only)) as sheet:
        assert sheet.width >= 5 * 224
    with Image.open(io.BytesIO(growth(result))) as figure:
        assert figure.width > 1000
    for each in result:
        with Image.open(io.BytesIO(each.image.png())) as image:
            assert np.array_equal(np.asarray(image).reshape(shape), each.image.pixels)
        with Image.open(io.BytesIO(each.image._repr_png_())) as image:
            assert image.height >= 100
