"""Files for contributors and for GitHub: they agree with the package, and every form can be read."""

import re
from configparser import ConfigParser

import pytest
from helpers.experiments import ROOT
from ruamel.yaml import YAML

import fooldeap

FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def load(name):
    return YAML(typ="safe").load((ROOT / name).read_text())


@pytest.fixture
def metadata():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser["metadata"]


def test_the_citation_agrees_with_the_package(metadata):
    citation = load("CITATION.cff")
    assert {key: citation[key] for key in ("cff-version", "title", "version", "license")} == {
        "cff-version": "1.2.0",
        "title": metadata["name"],
        "version": fooldeap.__version__,
        "license": metadata["license"],
    }
    (paper,) = citation["references"]
    assert paper["year"] == 2015
    assert [author["family-names"] for author in paper["authors"]] == ["Nguyen", "Yosinski", "Clune"]


def test_ci_runs_the_gate_on_every_supported_python(metadata):
    workflow = load(".github/workflows/ci.yml")
    job = workflow["jobs"]["test"]
    supported = re.findall(r"Python :: (3\.\d+)", metadata["classifiers"])
    assert job["strategy"]["matrix"]["python"] == supported
    gate = job["steps"][-1]
    assert gate["run"] == ".ci/run"
    assert gate["env"] == {"PYTHON": "python${{ matrix.python }}"}
    assert re.search(r"^PYTHON \?=", (ROOT / "Makefile").read_text(), re.MULTILINE), "make takes it from there"
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow["on"]) == {"push", "pull_request"}


def test_hooks_call_the_tools_of_the_environment_and_download_nothing():
    hooks = [hook for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in load(".pre-commit-config.yaml")["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert not any("additional_dependencies" in hook for hook in hooks)
    called = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in hooks]
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    linted = re.findall(r"\$\(BIN\)/(.*)", lint)
    assert called == ["ruff check", "ruff format", "mypy fooldeap plugins"]
    assert all(any(line.startswith(command) for line in linted) for command in called)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_github_requires(form):
    content = load(form.relative_to(ROOT))
    assert content["name"]
    assert content["description"]
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert fields
    assert all(field["type"] in ("input", "textarea", "dropdown", "checkboxes") for field in fields)
    assert all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)


def test_there_is_a_form_for_bugs_and_one_for_features():
    assert [form.stem for form in FORMS] == ["bug_report", "feature_request"]
