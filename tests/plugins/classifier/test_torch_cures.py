"""Messages about PyTorch models name the exact key, command or code that solves them, see `helpers.cures`."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from helpers.cures import SHAPE, WEIGHTS, Made, agrees, check, message_of
from helpers.keras_models import softmax

NET = """
import numpy as np
import torch


class CLASS(torch.nn.Module):
    def __init__(self, change=lambda scores: scores):
        super().__init__()
        self.dense, self.change = torch.nn.Linear(144, 4, bias=False), change

    def forward(self, x):
        return self.change(self.dense(x.reshape(len(x), -1)))
"""


@pytest.fixture
def torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.py").write_text(NET)
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def module(torch, *change):
    names = {}
    exec(NET, names)
    made = names["CLASS"](*change).eval()
    with torch.no_grad():
        made.dense.weight[:] = torch.tensor(WEIGHTS.T * 255)
    return made


def own_of_module(torch, model, scale=1 / 255):
    body = module(torch)

    def forward(images):
        with torch.no_grad():
            return softmax(body(torch.tensor(images.transpose(0, 3, 1, 2).tolist()) * scale).numpy())

    return Made(model, forward, {"input_range": [0, 1]})


FILLED = {"height": 8, "width": 6, "channels": 3}
TORCH = {
    "no shape": (None, {}, "shape: [height, width, channels]"),
    "several outputs": (lambda scores: (scores[:, 0], scores), {"shape": list(SHAPE)}, "output: 1"),
    "one output": (None, {"shape": list(SHAPE), "output": "scores"}, "leave 'output' out"),
    "missing device": (None, {"shape": list(SHAPE), "device": "cuda:77"}, "device: cpu"),
    "sigmoids": (
        lambda scores: scores.softmax(1) * 0.5,
        {"shape": list(SHAPE)},
        "outputs: sigmoid",
    ),
}


@pytest.mark.parametrize("title", TORCH)
def test_key_solves_what_is_wrong_with_a_module(torch, title):
    change, settings, cure = TORCH[title]
    made = own_of_module(torch, module(torch, *([change] if change else [])))
    if title == "sigmoids":
        made = made._replace(forward=lambda images, own=made.forward: own(images) / 2)
    check(made._replace(settings={**made.settings, **settings}), cure, **FILLED)


def test_pickle_is_saved_and_named_by_the_code_and_the_key_of_the_message(torch):
    model = module(torch)
    torch.save(model.state_dict(), "it.pt")
    made = own_of_module(torch, {"name": "torch", "model": "it.pt", "shape": list(SHAPE)})
    network = re.search("'(network: file.py:CLASS)'", message_of(made, made.settings))[1]
    agrees(made, {**made.settings, **yaml.safe_load(network)})
    torch.save({"folder": Path(), "state_dict": model.state_dict()}, "it.pt")  # more than weights
    settings = {**made.settings, **yaml.safe_load(network)}
    code = re.search(r"alone: (torch\.save\(.*\))$", message_of(made, settings))[1]
    exec(code, {"torch": torch, "model": model})
    agrees(made._replace(model={**made.model, "model": "NAME.pth"}), settings)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_exported_program_is_allowed_by_the_argument_of_the_message(torch):
    if "tensorflow" in sys.modules:
        sys.modules.setdefault("triton", None)  # torch.export would import it, which ends the process
    torch.export.save(torch.export.export(module(torch), (torch.zeros(4, 3, 8, 6),)), "it.pt2")
    made = own_of_module(torch, {"name": "torch", "model": "it.pt2"})
    argument = re.search(r"run with --trust-model \(in Python: (\w+)=True\)", message_of(made, made.settings))[1]
    made = made._replace(arguments={argument: True})
    agrees(made, made.settings)
    check(made._replace(settings={**made.settings, "shape": [6, 8, 3]}), "leave 'shape' out")


def test_softmax_over_the_images_is_corrected(torch):
    wrong = own_of_module(torch, module(torch, lambda scores: scores.softmax(dim=0)))
    settings = {**wrong.settings, "shape": list(SHAPE)}
    axis = re.search(r"'dim=(\d)' \(PyTorch\)", message_of(wrong, settings))[1]
    agrees(own_of_module(torch, module(torch, lambda scores: scores.softmax(dim=int(axis)))), settings)
