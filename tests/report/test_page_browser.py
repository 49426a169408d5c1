"""Pages in a real browser, from disk and without a network: with the keyboard, in both themes, wide and narrow."""

import itertools

import numpy as np
import pytest
from helpers.chromium import PROGRAM, Chromium
from helpers.experiments import KIT, tiny

import fooldeap
from fooldeap.audit.session import audit
from fooldeap.engine import snapshots
from fooldeap.report import html
from fooldeap.report.model import Catalogue, Entry, Report, Section, percent

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")]

PIXELS = """((source) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 28, height: 28});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(source, 0, 0);
  return Array.from(context.getImageData(0, 0, 28, 28).data);
})"""
LEGEND = "[...document.querySelector('.chart').querySelectorAll('.legend b')].map((each) => each.textContent)"
FOCUS = "document.querySelector({!r}).focus()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, main_job):
    """The page of the main job, newly opened; at the end, it must have logged and requested nothing."""
    _, folder = main_job
    browser.said.clear()
    browser.asked.clear()
    browser.open(folder / "report.html")
    yield browser
    assert browser.said == []
    assert all(address.startswith(("file://", "data:")) for address in browser.asked)


@pytest.fixture(scope="module")
def films(main_job):
    result, folder = main_job
    return snapshots.unpacked((folder / "snapshots.npz").read_bytes(), len(result))


def grey(page, canvas):
    """Return the grey levels of a canvas."""
    return np.array(page.value(f"{PIXELS}({canvas})"), np.uint8).reshape(28, 28, 4)[..., 0]


def softmax(logits):
    powers = np.exp(logits.astype(float) - logits.max())
    return powers / powers.sum()


def check_shows(page, taken):
    assert np.array_equal(grey(page, "document.querySelector('.screen')"), taken.image[..., 0])
    widths = page.value("[...document.querySelectorAll('.bars i')].map((bar) => parseFloat(bar.style.width) / 100)")
    assert widths == pytest.approx(softmax(taken.logits), abs=1e-6)


def test_the_slider_plays_the_evolution(page, films):
    check_shows(page, films[0][-1])
    page.value(FOCUS.format("[type=range]"))
    page.press("Home")
    check_shows(page, films[0][0])
    assert page.value("document.querySelector('output').textContent").startswith("generation 0, 100 evaluations")
    for taken in films[0][1:4]:
        page.press("ArrowRight")
        check_shows(page, taken)
        text = page.value("document.querySelector('[type=range]').getAttribute('aria-valuetext')")
        assert text.startswith(f"generation {taken.generation}, ")


def test_the_small_pictures_show_the_same_number_of_evaluations(page, films):
    small = "document.querySelectorAll('.reel canvas')[{}]"
    page.value(FOCUS.format("[type=range]"))
    for key, place in (("Home", 0), ("End", -1)):
        page.press(key)
        for target in (0, 1, 9):
            assert np.array_equal(grey(page, small.format(target)), films[target][place].image[..., 0])
    page.press("ArrowLeft")
    until = [taken for taken in films[1] if taken.evaluations <= films[0][-2].evaluations]
    assert np.array_equal(grey(page, small.format(1)), until[-1].image[..., 0])


def test_arrow_keys_choose_another_target(page, films):
    page.value(FOCUS.format("[type=radio]"))
    for target in (1, 2):
        page.press("ArrowRight")
        check_shows(page, films[target][-1])
    assert page.value("document.querySelector('.bars .target th').textContent") == "2"


def test_a_film_plays_to_its_end(page, films):
    page.value("document.querySelectorAll('[type=radio]')[8].click()")  # the shortest
    page.value(FOCUS.format(".play"))
    page.press(" ")
    if len(films[8]) > 2:
        assert page.value("document.querySelector('.play').textContent") == "Pause"
    page.until("document.querySelector('.play').textContent === 'Play'")
    check_shows(page, films[8][-1])


def test_the_theme_is_switched_and_remembered(page, main_job):
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    page.value(FOCUS.format(".theme"))
    for _ in range(3):
        seen[page.value("document.querySelector('.theme span').textContent")] = page.value(paper)
        page.press("Enter")
    assert list(seen) == ["system", "light", "dark"]
    assert seen["light"] == seen["system"] != seen["dark"]
    page.press("Enter")
    page.press("Enter")
    page.open(main_job[1] / "report.html")
    assert page.value(paper) == seen["dark"]
    page.press("Tab")
    page.value("document.querySelector('.theme').click()")
    page.open(main_job[1] / "report.html", dark=True)
    assert page.value(paper) == seen["dark"]


def test_values_are_read_with_the_keyboard(page, main_job):
    result, _ = main_job
    page.value(FOCUS.format(".plot"))
    page.press("End")
    latest = max(result, key=lambda each: each.evaluations)
    words = page.value("document.querySelector('.place').textContent").replace("\u202f", "")
    assert words == f"evaluations: {latest.evaluations}"
    assert [place for place, value in enumerate(page.value(LEGEND)) if value] == [latest.target]
    page.press("Home")
    certain = [each.log[0].confidence for each in result]
    assert page.value(LEGEND) == [percent(each) for each in certain]


def test_axes_and_curves_are_switched(page):
    for axis in ("x", "y"):
        pressed = f"document.querySelector('[data-axis={axis}]').getAttribute('aria-pressed')"
        before = page.value(pressed)
        page.value(FOCUS.format(f"[data-axis={axis}]"))
        page.press("Enter")
        assert page.value(pressed) != before
    page.value(FOCUS.format(".legend button"))
    page.press(" ")
    assert page.value("document.querySelector('.legend button').getAttribute('aria-pressed')") == "false"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_screen(page, main_job, width):
    page.open(main_job[1] / "report.html", width=width)
    assert page_width(page) <= width
    sides = page.value("[...document.querySelectorAll('.cards img:not(.beside)')].map((each) => each.clientWidth)")
    assert min(sides) >= 150
    shown = "[...document.querySelectorAll('.brand, nav, .theme')]"
    boxes = page.value(f"{shown}.map((each) => each.getBoundingClientRect().toJSON())")
    for one, other in itertools.combinations(boxes, 2):
        beside = one["right"] <= other["left"] or other["right"] <= one["left"]
        assert beside or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_an_audit_fits_the_screen(browser, tmp_path_factory, width):
    place = tmp_path_factory.mktemp("audit")
    (place / "tiny.yaml").write_text(f"classifier: tiny\nplugins: [{KIT}]\n")
    folder = audit(place / "tiny.yaml", budget=20, out=place / "audited", quiet=True)
    browser.said.clear()
    browser.open(folder / "report.html", width=width)
    assert page_width(browser) <= width
    assert browser.said == []


def page_width(browser):
    return browser.value("document.documentElement.scrollWidth")


def test_each_canvas_has_a_text_alternative_or_is_hidden(page):
    bare = "[...document.querySelectorAll('canvas')].filter((each) => !each.ariaLabel && each.ariaHidden !== 'true')"
    assert page.value("document.querySelectorAll('.plot canvas').length") == 2
    assert page.value(f"{bare}.length") == 0
    assert page.value("[...document.querySelectorAll('.plot')].map((each) => each.ariaLabel)") == [
        f"{title} over evaluations, 10 curves. Use the arrow keys to read values."
        for title in ("Confidence in the target: confidence", "Fitness of the best image: fitness")
    ]


def test_each_control_and_image_has_a_name(page):
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    used = [
        node for node in tree if node.get("role", {}).get("value") in ("button", "slider", "radio", "link", "image")
    ]
    assert len(used) > 40
    assert [node["role"] for node in used if not node["name"]["value"]] == []
    page.value("document.activeElement.blur()")
    page.press("Tab")
    assert page.value("document.activeElement.className") == "skip"


def test_an_added_script_does_not_run(browser, tmp_path):
    folder = tmp_path / "run"
    fooldeap.run(tiny(targets=[1], stop={"generations": 2}, reporters=[]), out=folder, quiet=True)
    page = (folder / "report.html").read_text()
    assert "</main>" in page
    (folder / "report.html").write_text(page.replace("</main>", "<script>document.title = 'owned'</script></main>"))
    browser.said.clear()
    browser.open(folder / "report.html")
    assert browser.value("document.title") != "owned"
    assert any("Content Security Policy" in line for line in browser.said)


def test_images_are_found_in_a_catalogue(browser, tmp_path):
    animals, count = ("Cat", "Old cat", "garden <spider>", "dog"), 150
    entries = [
        Entry(index, animals[index % 4], "", index * 37 % count / count, cost=None if index % 2 else 9 * index)
        for index in range(count)
    ]
    (tmp_path / "page.html").write_text(html.render(Report("", "", [], [Section("x", [Catalogue(entries)])]), tmp_path))
    browser.said.clear()
    browser.open(tmp_path / "page.html")

    def titles():
        return browser.value("[...document.querySelectorAll('.catalogue li b')].map((each) => each.textContent)")

    def choose(selector, value, event):
        field = f"document.querySelector({selector!r})"
        browser.value(f"{field}.value = {value!r}; {field}.dispatchEvent(new Event({event!r}))")

    def numbers():
        return [int(title.split(":")[0]) for title in titles()]

    pagers = "[...document.querySelectorAll('.pager output')].map((each) => each.textContent)"
    assert numbers() == list(range(60))
    assert browser.value(pagers) == ["150 images, page 1 of 3"] * 2
    for button, first in ((".next", 60), (".pager:last-child .next", 120), (".back", 60)):
        browser.value(f"document.querySelector({button!r}).click()")
        assert numbers() == list(range(first, min(first + 60, count)))
    for words, expected in {
        "77": [77],
        "cat": [index for index in range(150) if index % 4 < 2],
        " CAT  old ": list(range(1, 150, 4)),
        "<spider>": list(range(2, 150, 4)),
        "spider 42": [42],
        "horse": [],
    }.items():
        choose("[type=search]", words, "input")
        assert numbers() == expected[:60]
    choose("[type=search]", "", "input")
    shares = [entry.confidence for entry in entries]
    costs = [entry.cost if entry.cost is not None else np.inf for entry in entries]
    names = [entry.name.lower() for entry in entries]
    for order, key in {
        "highest": lambda index: -shares[index],
        "lowest": lambda index: shares[index],
        "cost": lambda index: costs[index],
        "name": lambda index: names[index],
        "number": lambda index: index,
    }.items():
        choose("select", order, "change")
        assert numbers() == sorted(range(count), key=key)[:60]
    assert browser.said == []
