"""The live view: what it draws, how much space and time it takes, and when it is turned off."""

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from helpers.experiments import KIT, ROOT, tiny
from helpers.experiments import run as run_tiny
from PIL import Image
from rich.console import Console

from fooldeap.configuration import config
from fooldeap.formatting import percent
from fooldeap.plugin import ExperimentInfo, Predictions, Reporter, RunInfo, dataclass, reporter
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins.reporter._bars import WIDTH, Bar
from fooldeap_plugins.reporter._blocks import GAP, MIN_WIDTH, average_pixels, draw_cells, fit_grid
from fooldeap_plugins.reporter._gallery import Gallery
from fooldeap_plugins.reporter._pace import Pace
from fooldeap_plugins.reporter._view import View

# --- Images for reporters -------------------------------------------------------------------------------------------


@reporter("looks")
@dataclass
class Looks(Reporter):
    """Records the best image after every generation, and the runs."""

    def on_start(self, session):
        Looks.begun, Looks.before, Looks.seen, Looks.rows = {}, [], {}, {}

    def on_run_start(self, run, best):
        Looks.begun[run] = best
        Looks.before += [best(target) for target in run.targets]

    def on_generation(self, run, row):
        Looks.seen.setdefault(row.target, []).append(Looks.begun[run](row.target))
        Looks.rows.setdefault(row.target, []).append(row)


def looked_at(**arguments):
    experiment = config.load(tiny(**arguments), arguments={"reporters": ["looks"]}, plugins=[Looks])
    with ExperimentSession(experiment) as prepared:
        return prepared.run(None), prepared.classifier


@pytest.mark.parametrize("algorithm", ["generational", "map_elites"])
def test_reporter_can_read_the_best_image_at_any_time(algorithm):
    result, classifier = looked_at(targets=[0, 2], stop={"generations": 20, "confidence": None}, algorithm=algorithm)
    assert Looks.before == [None, None]
    for run in result:
        last = Looks.seen[run.target][-1]
        assert np.array_equal(last.images[0], run.image.pixels)
        assert last.probabilities[0, run.target] == run.confidence
        best = np.maximum.accumulate([row.confidence for row in Looks.rows[run.target]])
        for seen, confidence in zip(Looks.seen[run.target], best, strict=True):
            assert np.array_equal(seen.logits, classifier.logits(seen.images))
            assert seen.probabilities[0, run.target] == confidence


# --- Drawing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "lines", "across", "down"), [(140, 28, 10, 1), (80, 23, 5, 2), (60, 60, 4, 3), (30, 60, 2, 5)]
)
def test_grid_of_ten_digits(columns, lines, across, down):
    grid = fit_grid(10, 1.0, columns, lines)
    assert (grid.across, grid.down) == (across, down)


def test_grid_fits_into_the_area():
    for count in (1, 2, 7, 10, 20):
        for aspect in (0.3, 1.0, 2.5):
            for columns in range(5, 160, 3):
                for lines in (-3, 0, 4, 8, 11, 16, 24, 60):
                    grid = fit_grid(count, aspect, columns, lines)
                    assert grid.lines <= max(lines, 0)
                    assert not grid.places or grid.across * (grid.width + GAP) - GAP <= columns
                    assert grid.places - count < grid.across or not grid.places
                    if columns >= MIN_WIDTH and lines >= 3 * MIN_WIDTH:
                        assert grid.places
                    if grid.places < count:  # a larger grid does not fit
                        more = fit_grid(grid.places + 1, aspect, columns, lines)
                        assert more.places <= grid.places


def test_pixels_are_averaged_by_area():
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    expected = image.reshape(14, 2, 14, 2).mean(axis=(1, 3))
    assert np.abs(average_pixels(image, 14, 14)[:, :, 0] - expected).max() <= 1
    coloured = np.repeat(image, 3, axis=2) // np.array([1, 2, 3], np.uint8)
    assert np.abs(average_pixels(coloured, 13, 14) - average_pixels(coloured[:, :, :1], 13, 14) / [1, 2, 3]).max() <= 2
    assert (average_pixels(np.full((5, 9, 1), 77, np.uint8), 14, 8) == 77).all()


def test_cell_shows_two_pixels():
    levels = np.array([[[0, 64, 128], [8, 16, 24]], [[248, 240, 32], [40, 48, 56]]], np.uint8)
    (line,) = draw_cells(levels, 2, 1)
    for column, segment in enumerate(line):
        assert segment.text == "▀"
        assert tuple(segment.style.color.triplet) == tuple(levels[0, column])
        assert tuple(segment.style.bgcolor.triplet) == tuple(levels[1, column])


@pytest.mark.parametrize("prefer", [[], [(1, 29), (1, 7)]])
def test_at_most_twenty_images_are_shown_and_the_preferred_ones_first(prefer):
    run = RunInfo(1, tuple(range(30)))
    gallery = Gallery(ExperimentInfo("many", (run,), {}, None, {}, None))
    logits = np.zeros((1, 30), np.float32)
    gallery.watch(run, lambda target: Predictions(logits, np.full((1, 8, 8, 1), target, np.uint8)))
    gallery.prefer(prefer)
    shown = [each.image[0, 0, 0] for each in gallery.mosaic(400, 100).pictures]
    assert shown == sorted(
        [*(target for _, target in prefer), *[each for each in range(30) if (1, each) not in prefer]][:20]
    )
    gallery.clear()
    assert gallery.mosaic(400, 100) is None


# --- Time for drawing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [0.0, 0.003, 0.1, 4.0])
def test_drawing_time_is_limited_to_its_share(cost):
    now, drawn = 0.0, 0
    pace = Pace(0.25, 0.01, lambda: now)
    while now < 2000:
        now += 0.05
        if pace.due():
            with pace.drawing():
                now += cost
            drawn += 1
            assert drawn == 1 or drawn * cost <= 0.01 * now
    assert drawn * 0.25 <= 2000
    assert drawn >= min(2000 / 0.35, 0.005 * 2000 / max(cost, 1e-9))  # and the share is used


# --- On a terminal --------------------------------------------------------------------------------------------------


def command(folder, *words):
    base = [sys.executable, "-m", "fooldeap", "run", str(ROOT / "configs/mnist.yaml"), "classifier=tiny"]
    return [
        *base,
        "reporters=[{name: console, every: 0.001}, images]",
        "--plugins",
        str(KIT),
        "--out",
        str(folder),
        *words,
    ]


LONG = ("stop.confidence=null", "stop.evaluations=3000")


def on_a_terminal(words, columns=140, lines=40, interrupt_at=None, **environment):
    """Run a command on a terminal of the given size. Return its output and its exit code."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    environment = {**clean, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
    process = subprocess.Popen(words, stdin=secondary, stdout=secondary, stderr=secondary, env=environment)
    os.close(secondary)
    seen = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:  # the process has closed the terminal
            break
        seen += part
        if interrupt_at is not None and interrupt_at in seen:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    os.close(primary)
    return seen.decode(), process.wait()


CELL = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀")


def test_images_are_drawn_during_the_run_and_at_the_end(tmp_path):
    seen, code = on_a_terminal(command(tmp_path / "run", "targets=[0,1]", *LONG))
    assert code == 0
    during, _, end = seen.rpartition("\x1b[?25h")
    assert "▀" in during
    result = json.loads((tmp_path / "run/result.json").read_text())
    images = [np.asarray(Image.open(tmp_path / "run" / run["image"]))[:, :, None] for run in result["runs"]]
    drawn = np.array([list(map(int, cell)) for cell in CELL.findall(end)]).reshape(-1, 2, 14, 6)
    for index, image in enumerate(images):
        small = average_pixels(image, 14, 2 * len(drawn)) // 8 * 8
        assert np.array_equal(drawn[:, index], np.concatenate([small[0::2], small[1::2]], axis=2))
    for run in result["runs"]:
        assert f" {run['target']} {percent(run['confidence'])} " in end


@pytest.mark.parametrize(
    ("word", "environment"),
    [("--no-images", {}), ("--quiet", {}), ("seed=1", {"NO_COLOR": "1"}), ("seed=1", {"TERM": "dumb"})],
)
def test_images_can_be_turned_off(word, environment, tmp_path):
    seen, code = on_a_terminal(command(tmp_path / "run", "targets=[0]", "stop.evaluations=300", word), **environment)
    assert code == 0
    assert "▀" not in seen
    assert ("━" in seen) == (word != "--quiet" and "TERM" not in environment)
    if "TERM" in environment:
        assert "\x1b" not in seen
        assert "  seed 1, target 0: seen as" in seen


def test_interrupted_run_shows_the_cursor_again(tmp_path):
    words = command(tmp_path / "run", "stop.confidence=null", "stop.evaluations=1000000")
    seen, code = on_a_terminal(words, interrupt_at="▀".encode())
    assert code == 130
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


def test_display_is_not_larger_than_the_terminal(tmp_path):
    seen, code = on_a_terminal(command(tmp_path / "run", *LONG), columns=40, lines=12)
    assert code == 0
    assert "▀" in seen.rpartition("\x1b[?25h")[0]
    frames = re.split(r"\x1b\[\?25[lh]", seen)[1]
    for frame in re.split(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*", frames):
        lines = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", frame).replace("\r", "").split("\n")
        assert len(lines) <= 12
        assert max(map(len, lines)) <= 40


# --- TensorBoard ----------------------------------------------------------------------------------------------------


def events(folder, name):
    """Read an event file with TensorFlow. Return scalars by tag, and images, each with its step."""
    import tensorflow as tf

    (file,) = (folder / "figures/tensorboard" / name).iterdir()
    assert "tfevents" in file.name  # TensorBoard finds files by this name
    first, *rest = tf.compat.v1.train.summary_iterator(str(file))
    assert first.file_version == "brain.Event:2"
    scalars, images = {}, []
    for event in rest:
        for value in event.summary.value:
            if value.HasField("image"):
                pixels = tf.io.decode_png(value.image.encoded_image_string).numpy()
                assert pixels.shape == (value.image.height, value.image.width, value.image.colorspace)
                images.append((event.step, pixels))
            else:
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars, images


def test_tensorboard_receives_log_and_images(tmp_path):
    experiment = tiny(targets=[0, 2], reporters=["tensorboard"], stop={"generations": 9, "confidence": None})
    result, _ = run_tiny(experiment, tmp_path / "run")
    for each in result:
        scalars, images = events(tmp_path / "run", f"seed1-target{each.target}")
        logged = {"confidence": "confidence", "diversity": "diversity"}
        logged |= {f"fitness/{name}": name for name in ("best", "mean", "worst", "std")}
        assert scalars.keys() == logged.keys()
        for tag, name in logged.items():
            assert scalars[tag] == [(row.evaluations, np.float32(getattr(row, name))) for row in each.log]
        shown = [row.evaluations for row in each.log if row.generation in (0, 1, 2, 4, 8)]
        assert [step for step, _ in images] == [*shown, each.evaluations]
        assert np.array_equal(images[-1][1][::14, ::14], each.image.pixels)
    assert (tmp_path / "run/SHA256SUMS").read_text().count("tfevents") == 2


def test_tensorboard_files_are_bit_identical(tmp_path):
    files = []
    for name in ("one", "two"):
        run_tiny(tiny(targets=[1], reporters=["tensorboard"], stop={"evaluations": 100}), tmp_path / name)
        files.append(next((tmp_path / name).rglob("*tfevents*")).read_bytes())
    assert files[0] == files[1]


def test_tensorboard_writes_nothing_without_a_folder():
    run_tiny(tiny(targets=[1], reporters=["tensorboard"], stop={"evaluations": 100}))


@pytest.mark.parametrize(("width", "rows"), [(100, 3), (70, 3), (60, 6), (30, 9)])
def test_wrapped_lines_are_erased_when_the_terminal_becomes_narrower(width, rows):
    terminal = io.StringIO()
    screen = Console(file=terminal, force_terminal=True, width=80, height=24)
    view = View(screen, ExperimentInfo("wide", (), {}, None, {}, None), images=False)
    bars = [Bar("all", 0, "x" * (70 - len("all ") - WIDTH - 1))] * 3
    view.draw(bars)
    screen.width = width
    start = terminal.tell()
    view.draw(bars)
    view.close()
    again = terminal.getvalue()[start:]
    assert again.partition("all")[0].count("\x1b[1A") == rows - 1
    assert "\x1b[2J" not in again
