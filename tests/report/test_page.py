"""Pages: the components, the escaping of text, and the content security policy."""

import base64
import hashlib
import io
import re
from importlib import resources
from unittest.mock import Mock

import numpy as np
import pytest
from helpers.pages import data_of
from PIL import Image

from fooldeap.engine import snapshots
from fooldeap.errors import InputError
from fooldeap.report import html, markdown, terminal
from fooldeap.report.model import (
    Card,
    Cards,
    Catalogue,
    Chart,
    Charts,
    Code,
    Entry,
    Figure,
    Film,
    Films,
    Gallery,
    Histogram,
    ImageGroup,
    Items,
    Line,
    Report,
    Section,
    Table,
    Text,
    Thumb,
    is_good,
    percent,
)
from fooldeap.report.pictures import Pictures, film_data, picture, thinned
from fooldeap.report.run import cards
from fooldeap.results import FoolingImage, Result, RunResult, Snapshot
from fooldeap.terminal_text import printable

NASTY = '</script><img src=x onerror=alert(1)>"\x1b[2J\u202e'


def page_of(text, folder):
    """Return a page with a block of each kind, each text of which is the given one."""
    (folder / "snapshots.npz").write_bytes(snapshots.packed([Mock(snapshots=taken(np.eye(3)[[0, 1]]))]))
    return html.render(Report(text, text, [(text, text)], [Section(text, list(blocks(text).values()))]), folder)


def taken(probabilities, images=None):
    """Return snapshots with these probabilities of the classes."""
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(probabilities), -1e9).astype(np.float32)
    images = [np.full((4, 4, 3), index, np.uint8) for index in range(len(logits))] if images is None else images
    return [Snapshot(index, 10 * index, 0.5, *each) for index, each in enumerate(zip(images, logits, strict=True))]


def blocks(text):
    image = picture(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    chart = Chart(text, text, text, [Line(text, [1, 2], [0.5, 0.7])], goal=0.9, goal_label=text)
    return {
        "text": Text(text),
        "items": Items([text]),
        "warning": Items([text], warning=True),
        "table": Table([text], [[text]]),
        "folded": Table([text], [[text]], title=text),
        "figure": Figure("none.png", text),
        "code": Code(text, text),
        "cards": Cards([Card(text, image, text, 0.5, [text], True, (image, text))], text),
        "gallery": Gallery([ImageGroup(text, [Thumb(text, image, text, text)])]),
        "catalogue": Catalogue([Entry(1, text, image, 0.5, text, [text], 3, True)]),
        "histogram": Histogram((text, text), [(text, 1200), (text, 0)]),
        "films": Films([Film(text, 1, "snapshots.npz", classes=[text] * 3)], text),
        "charts": Charts([chart]),
    }


def test_all_text_is_escaped(tmp_path):
    page = page_of(NASTY, tmp_path)
    assert "onerror=alert(1)>" not in page.replace("onerror=alert(1)&gt;", "")
    assert "<img src=x" not in page
    catalogue, films, chart = data_of(page)
    assert catalogue[0]["name"] == catalogue[0]["seen"] == catalogue[0]["lines"][0] == printable(NASTY)
    assert films[0]["title"] == chart["title"] == printable(NASTY)
    assert not {"\x1b", "\u202e"} & set(page)


def test_the_policy_allows_only_the_scripts_of_the_page(tmp_path):
    page = page_of("words", tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert [f"'sha256-{each}'" for each in hashes] == re.search(r"script-src (.*)$", policy)[1].split(" ")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)


def test_a_film_is_one_png_of_all_frames(tmp_path):
    film = data_of(page_of("words", tmp_path))[1][0]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(film["frames"].split(",")[1]))))
    assert np.array_equal(sheet.reshape(2, 4, 4, 3)[:, 0, 0, 0], [0, 1])
    assert film["probabilities"] == [[1, 0, 0], [0, 1, 0]]


def test_a_film_shows_the_target_and_the_most_probable_classes():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(200), 9)
    target = int(probabilities.max(axis=0).argmin())
    film = film_data(Film("x", target, "snapshots.npz"), taken(probabilities))
    highest = np.argsort(-probabilities.max(axis=0))[:11]
    assert film["classes"] == [str(each) for each in sorted([target, *highest])]
    assert film["classes"][film["target"]] == str(target)


def test_a_thinned_film_keeps_its_first_and_last_frame():
    film = taken(np.full((50, 2), 0.5))
    few = thinned(film, 8)
    assert len(few) == 8
    assert (few[0].generation, few[-1].generation) == (0, 49)
    assert thinned(film, 50) is film


@pytest.mark.parametrize(("side", "shown"), [(8, 4), (400, 1)])
def test_the_page_says_how_many_films_it_shows(tmp_path, side, shown):
    film = taken(np.full((2, 2), 0.5), [np.zeros((side, side, 3), np.uint8)] * 2)
    (tmp_path / "snapshots.npz").write_bytes(snapshots.packed([Mock(snapshots=film)] * 4))
    films = Films([Film("x", 0, "snapshots.npz", index, 4) for index in range(4)])
    page = html.render(Report("x", "x", [], [Section("x", [films])]), tmp_path)
    assert len(data_of(page)[0]) == shown
    assert ("1 of 4 animations are shown." in page) == (shown < 4)
    assert ("animations are shown" in page) == (shown < 4)


def test_the_page_stays_small_with_large_images(tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    films = [Mock(snapshots=taken(np.full((25, 2), 0.5), [image] * 25))] * 20
    (tmp_path / "snapshots.npz").write_bytes(snapshots.packed(films))
    section = Section("", [Films([Film("x", 0, "snapshots.npz", index, 20) for index in range(20)])])
    kept = Pictures(tmp_path, [section]).films(section.blocks[0].films)
    assert kept
    assert all(6 <= len(each["generations"]) <= 25 for each in kept)
    assert sum(len(each["generations"]) for each in kept) * image.nbytes <= 2_000_000
    run = RunResult(0, 1, 0, 1.0, 1.0, 9, 9, {}, 1, "goal", FoolingImage(image), ())
    result = Result("x", 1, {}, 9, 1.0, (run,) * 100)
    assert len(cards(result, [None] * 100)) == 2_000_000 // image.nbytes
    (tmp_path / "x.png").write_bytes(FoolingImage(image).png())
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(Pictures(tmp_path).thumb("x.png").split(",")[1]))))
    assert shown.shape == (112, 112, 3)
    assert shown[3, 5] == pytest.approx(image[6:8, 10:12].mean(axis=(0, 1)), abs=0.51)


def written_images(folder, count, side, channels=3):
    """Write images of noise to a folder. Return them, and entries of a catalogue for them."""
    images = np.random.default_rng(1).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    for index, image in enumerate(images):
        (folder / f"a b{index}.png").write_bytes(FoolingImage(image).png())
    return images, [Entry(index, f"name {index}", f"a b{index}.png", index / count) for index in range(count)]


def decoded_image(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_of_a_catalogue_are_lossless(tmp_path, channels):
    images, entries = written_images(tmp_path, 5, 28, channels)
    found = Pictures(tmp_path).catalogue(Catalogue(entries))
    for image, entry in zip(images, found, strict=True):
        assert entry["image"].startswith("data:image/png;")
        assert np.array_equal(decoded_image(entry["image"]).reshape(image.shape), image)
    assert [entry["file"] for entry in found] == [f"./a%20b{index}.png" for index in range(5)]


@pytest.mark.parametrize("channels", [1, 3])
def test_large_images_of_a_catalogue_are_reduced_to_its_space(tmp_path, channels, monkeypatch):
    _, entries = written_images(tmp_path, 40, 224, channels)
    sizes = []
    for most in (10_000_000, 300_000, 60_000, 1):
        monkeypatch.setattr("fooldeap.report.pictures.CATALOGUE_BYTES", most)
        found = Pictures(tmp_path).catalogue(Catalogue(entries))
        shown = [entry["image"] for entry in found if len(entry["image"]) > 10]
        assert sum(len(image) for image in shown) <= 1.34 * 1.2 * max(most, 3000) + 30 * len(shown)
        assert [entry["number"] for entry in found] == list(range(40))
        sizes.append((len(shown), decoded_image(shown[0]).shape[0]))
    assert sizes[0] == (40, 224)
    assert sizes[1][0] == sizes[2][0] == 40
    assert 48 <= sizes[2][1] < sizes[1][1] <= 128
    assert sizes[3] == (1, 48)


def test_a_catalogue_without_its_files_keeps_its_entries(tmp_path):
    entries = [Entry(1, "x", "images/1.png", 0.5), Entry(2, "y", "data:image/png;base64,AA", 0.5)]
    found = Pictures(tmp_path).catalogue(Catalogue(entries))
    assert [(entry["name"], entry["image"], entry["file"]) for entry in found] == [
        ("x", "data:,", ""),
        ("y", "data:image/png;base64,AA", ""),
    ]
    with pytest.raises(InputError, match="outside this folder"):
        Pictures(tmp_path).catalogue(Catalogue([Entry(1, "x", "../1.png", 0.5)]))


def test_an_image_is_orange_only_if_it_is_seen_as_another_class():
    assert is_good(3, 3, reached=True) is True
    assert is_good(3, 3, reached=False) is None
    assert is_good(3, 4, reached=False) is False
    assert is_good(3, 4, reached=False, has_goal=False) is None


def luminance(colour):
    """Return the relative luminance of a colour, as the Web Content Accessibility Guidelines 2.2 define it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_text_and_curves_have_enough_contrast_in_both_themes():
    style = (resources.files("fooldeap.report") / "templates/style.css").read_text()
    themes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root[^{]*\{[^}]*\}", style)
    ]
    assert len(themes) == 3
    assert themes[1] == themes[2]
    for theme in themes:
        for background in (theme["paper"], theme["raised"]):
            for text in ("ink", "muted", "accent", "good", "missed"):
                assert contrast(theme[text], background) >= 4.5, text
            for line in range(10):
                assert contrast(theme[f"line-{line}"], background) >= 3, line
        assert contrast(theme["paper"], theme["accent"]) >= 4.5  # the text of the play button
        assert contrast(theme["ink"], theme["soft"]) >= 4.5


def test_a_percentage_has_a_no_break_space():
    assert percent(0.9999) == "99.990\u00a0%"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("row_and_column", "row_<wbr>and_<wbr>column"), ("<b>-2", "&lt;b&gt;-<wbr>2"), ("_a.", "_<wbr>a.")],
)
def test_names_may_break_after_punctuation(name, expected):
    assert html._allow_breaks(name) == expected


def test_a_report_is_read_back(tmp_path):
    page = page_of("words", tmp_path)
    report = Report("words", "words", [("words", "words")], [Section("words", list(blocks("words").values()))])
    (tmp_path / "report.json").write_text(report.to_json())
    again = Report.read(tmp_path)
    assert again.to_json() == report.to_json()
    assert html.render(again, tmp_path) == page


def test_markdown_and_terminal_leave_out_what_only_pages_show(tmp_path):
    report = Report("a", "b", sections=[Section("c", list(blocks("words").values()), ["markdown", "terminal"])])
    assert markdown.render(report) == (
        "# a\n\nb\n\n## c\n\nwords\n\n- words\n\n- words\n\n| words |\n|---|\n| words |\n\n"
        "words:\n\n| words |\n|---|\n| words |\n\n![words](none.png)\n\nwords:\n\n    words\n\n"
        "| words | words |\n|---|---:|\n| words | 1\u202f200 |\n| words | 0 |\n"
    )
    assert terminal.render(report) == (
        "b\n\nc:\nwords\n- words\n- words\n\nwords\nwords\n\n\nwords\nwords\n\n\n"
        "words  words\nwords  1\u202f200\nwords      0"
    )
