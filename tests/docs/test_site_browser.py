"""The site in a browser, from disk and without a network: nothing is missing, and the search works."""

import subprocess
import sys

import pytest
from helpers.chromium import PROGRAM, Chromium
from helpers.experiments import ROOT

pytest.importorskip("mkdocs", reason="the extra docs is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")]
PAGES = ["index.html", "tutorial.html", "reference/yaml.html", "reference/plugins/mutation/polynomial.html"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", ROOT / "mkdocs.yml"]
    subprocess.run([*command, "--site-dir", folder], check=True, stderr=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_pages_open_from_disk(site, browser):
    for page in PAGES:
        for width, dark in ((1280, False), (390, True)):
            browser.open(site / page, width=width, dark=dark)
            assert browser.value("document.documentElement.scrollWidth") <= width
            assert browser.value("[...document.images].every(each => each.loading == 'lazy' || each.naturalWidth > 0)")
    assert browser.said == []
    assert [address for address in browser.asked if not address.startswith(("file:", "data:"))] == []


def test_the_search_finds_a_plugin(site, browser):
    browser.open(site / "index.html")
    browser.value("document.querySelector('.md-search__input').focus()")
    browser.call("Input.insertText", text="tournament")
    browser.until("document.querySelector('.md-search-result__link') !== null")
    assert "tournament.html" in browser.value("document.querySelector('.md-search-result__link').href")
