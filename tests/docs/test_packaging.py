"""What is installed is whole: a wheel built from the tree holds the plugins, the data and the command."""

import re
import subprocess
import sys
import zipfile

import pytest
from helpers.experiments import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, unpacked: a folder to put on the path."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in tracked or pytest.skip("no git checkout to take the project's own files from"):
        if (ROOT / name).is_file():
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "tree" / name).write_bytes((ROOT / name).read_bytes())
    command = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", str(folder / "tree"), "-w", str(folder)]
    subprocess.run([sys.executable, "-m", *command], check=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def python(wheel, code):
    """Run code where the installed wheel comes first and the tree is nowhere."""
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}"
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_stock_plugin_is_in_the_wheel(wheel):
    code = "import fooldeap.registry as r; print(*(p.kind + '/' + p.name for p in r.load().all()), r.__file__)"
    *found, place = python(wheel, code).split()
    assert place.startswith(str(wheel))
    files = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "plugins").glob("*/[!_]*.py")}
    assert set(found) == files


def test_the_data_is_in_the_wheel(wheel):
    names = {path.name for path in (wheel / "fooldeap/data").rglob("*")}
    shipped = {"mnist.npz", "MNIST.md", "defaults.yaml", "mnist_cnn.keras", "mnist_cnn.md", "mnist_lenet.keras"}
    assert shipped <= names
    code = "import fooldeap.registry as r; print(r.load().get('dataset', 'mnist').build({}).load().test_images.shape)"
    assert python(wheel, code) == "(10000, 28, 28, 1)\n"


def test_pages_can_be_made_from_the_wheel(wheel):
    code = "from fooldeap.report import html, model; from pathlib import Path; report = model.Report('A page', ''); "
    code += "print(html.__file__, 'uPlot' in html.render(report, Path()))"
    assert python(wheel, code) == f"{wheel}/fooldeap/report/html.py True\n"
    assert (wheel / "fooldeap/report/templates/uplot/LICENSE").read_text().startswith("The MIT License")


def test_the_page_on_design_names_every_module():
    page = (ROOT / "docs/design.md").read_text()
    parts = dict(re.findall(r"\*\*`(\w+)`\*\*:(.*?)(?=\n\*\*|\Z)", page, re.DOTALL))
    assert {"configuration", "engine", "storage", "runs", "study"} <= parts.keys()
    for part, text in parts.items():
        modules = {path.stem for path in (ROOT / "fooldeap" / part).iterdir() if path.suffix == ".py" or path.is_dir()}
        rows = re.findall(r"^\| (`.*?) \| ", text.partition("\n\n|")[2].partition("\n\n")[0], re.MULTILINE)
        named = set(re.findall(r"`(\w+)`", " ".join(rows)))
        assert named == {name for name in modules if not name.startswith("_")}, part
    packages = {path.name for path in (ROOT / "fooldeap").iterdir() if (path / "__init__.py").is_file()}
    assert packages - parts.keys() - {"data"} <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
