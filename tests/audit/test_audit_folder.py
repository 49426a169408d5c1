"""Commands on the folder of an audit: report, export, verify and resume."""

import json
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
from helpers.experiments import KIT
from PIL import Image

from fooldeap import cli
from fooldeap.audit.session import audit
from fooldeap.errors import InputError
from fooldeap.result_tools import pages
from fooldeap.result_tools.export import collect, export
from fooldeap.result_tools.verify import verify
from fooldeap.runs.folder import problems_in


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("audit")
    (place / "tiny.yaml").write_text(f"classifier: tiny\nplugins: [{KIT}]\n")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(place / "real.npz", images=pixels)
    real = str(place / "real.npz")
    return audit(place / "tiny.yaml", images=real, budget=40, classes=[0, 2], out=place / "audited", quiet=True)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the audit that a test may change."""
    return shutil.copytree(made, tmp_path / "audited")


def test_page_is_written_again_from_the_folder(folder, capsys):
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    with pytest.raises(SystemExit, match="0"):
        cli.main(["audit", "--resume", str(folder)])
    assert f"is already finished; to write its page again: fooldeap report {folder}" in capsys.readouterr().out
    assert pages.make(folder).read_bytes() == page
    assert problems_in(folder) == []


def test_audit_killed_before_its_checksums_is_resumed(folder, monkeypatch):
    page = without_queries(folder)
    for name in ("report.html", "SHA256SUMS"):
        (folder / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr("fooldeap.audit.session.write_page", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            audit(resume=folder, quiet=True)
    assert audit(resume=folder, quiet=True) == folder
    assert problems_in(folder) == []
    assert without_queries(folder) == page


def without_queries(folder):
    """Return the page without the table of queries, which has one row per session."""
    page = (folder / "report.html").read_text()
    before, marker, rest = page.partition("The query log:")
    assert marker
    return before + rest.partition("</table>")[2]


def test_changed_or_unfinished_audit_is_refused(folder):
    figures = folder / "audit.json"
    written = figures.read_text()
    figures.write_text(written.replace("cma_es", "cma_xx"))
    with pytest.raises(InputError, match=r"audit\.json: .*restore it from a copy"):
        pages.make(folder)
    figures.unlink()
    for what in (pages.make, verify, collect):
        with pytest.raises(InputError, match=r"is not finished; finish it first: fooldeap audit --resume"):
            what(folder)


def test_images_of_every_attack_are_exported(made, tmp_path):
    collection = export(made, tmp_path / "it.npz", tmp_path / "it")
    content = json.loads((made / "audit.json").read_text())
    results = {(name, each["class"]): known for each in content["classes"] for name, known in each["attacks"].items()}
    with np.load(tmp_path / "it.npz", allow_pickle=False) as arrays:
        assert len(arrays["images"]) == len(results)
        columns = (arrays[name] for name in ("variants", "labels", "images", "confidence", "predicted"))
        for variant, label, image, confidence, predicted in zip(*columns, strict=True):
            known = results.pop((str(variant), int(label)))
            assert np.array_equal(image[:, :, 0], np.asarray(Image.open(made / known["image"])))
            assert (confidence, predicted) == (known["confidence"], known["predicted"])
    assert results == {}
    assert "budget: 40" in collection.provenance["configuration"]
    assert collection.provenance["shown_to_the_classifier"] >= sum(attack["images"] for attack in content["attacks"])
    assert sorted(path.name for path in (tmp_path / "it").iterdir()) == ["0", "2", "metadata.csv", "provenance.json"]


def test_verify_replays_the_runs_of_an_audit(folder):
    assert verify(folder).reproduced
    result = folder / "attacks/cma_es/result.json"
    content = json.loads(result.read_text())
    content["runs"][0]["confidence"] /= 2
    result.write_text(json.dumps(content))
    verdict = verify(folder, sample=1)
    assert any(problem.startswith("attacks/cma_es/result.json: ") for problem in verdict.problems)
    assert any(problem.startswith("cma_es: result.json: ") for problem in verdict.problems)
    assert not any("map_elites" in problem for problem in verdict.problems)
