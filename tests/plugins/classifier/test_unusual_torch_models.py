"""PyTorch models with unusual inputs or outputs: the confidence is the framework's own, or one line says a cure.

Each case builds its model and returns the model, its forward pass on uint8 images (n, h, w, c), and the settings.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.keras_models import images_like, softmax
from helpers.unusual_models import SHAPE, agrees, refused

import fooldeap
from fooldeap_plugins.classifier.torch import Torch


@pytest.fixture
def nn():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(1)
    return torch.nn


def returning(nn, change, body=None):
    """Return a module whose scores are changed, and its forward pass without the change."""

    class Changed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body or nn.Sequential(nn.Flatten(), nn.Linear(144, 4))

        def forward(self, x):
            return change(self.body(x))

    return Changed().eval()


def scores_of(module, images):
    import torch

    with torch.no_grad():
        return module(torch.tensor(images.transpose(0, 3, 1, 2).copy()).float() / 255).numpy()


@pytest.mark.parametrize(
    ("change", "output"),
    [
        (lambda scores: scores[:, :, None, None], None),
        (lambda scores: scores[:, None, None, :], None),
        (lambda scores: (scores[:, :2], scores), "1"),
        (lambda scores: {"scores": scores, "other": scores[:, :2]}, "scores"),
        (lambda scores: SimpleNamespace(logits=scores, loss=None), None),
    ],
)
def test_torch_module_gives_its_own_confidence(nn, change, output):
    module = returning(nn, change)
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1), output=output)
    agrees(made, lambda images: softmax(scores_of(module.body, images)))
    assert made.gradient(images_like(made, 2), np.full(2, 1)).any()


def test_module_in_training_mode_is_evaluated_in_inference_mode(nn):
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(96, 4)]
    module = nn.Sequential(*layers).train()
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    made.logits(np.zeros((1, *SHAPE), np.uint8))
    assert module.training
    agrees(made, lambda images: softmax(scores_of(module.eval(), images)))


def test_module_that_takes_one_image_at_a_time(nn):
    body = nn.Linear(144, 4)
    module = returning(nn, lambda scores: scores, nn.Sequential(nn.Unflatten(0, (1, -1)), nn.Flatten(), body))
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    agrees(made, lambda images: softmax(np.concatenate([scores_of(module, each[None]) for each in images])))


@pytest.mark.parametrize("precision", ["half", "double"])
def test_module_gets_pixels_of_its_own_precision(nn, precision):
    import torch

    module = getattr(returning(nn, lambda scores: scores), precision)()
    dtype = getattr(torch, precision)

    def forward(images):
        pixels = (torch.tensor(images.transpose(0, 3, 1, 2).copy()).float() / 255).to(dtype)
        with torch.no_grad():
            return softmax(module(pixels).double().numpy())

    agrees(Torch.from_object(module, shape=SHAPE, input_range=(0, 1)), forward, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "output", "cure"),
    [
        (
            lambda scores: (scores, scores[:, :2]),
            None,
            "0 (32, 4), 1 (32, 2); say which has the scores",
        ),
        (lambda scores: (scores, scores[:, :2]), "7", "'output: NAME'"),
        (lambda scores: (scores, scores[:, :2]), 7, "without '7'; "),
        (lambda scores: (scores[:, 0], scores), None, "'output: 1'"),
        (lambda scores: {"scores": scores}, None, "'output: scores'"),
        (lambda scores: scores, "scores", "leave 'output' out"),
        (lambda scores: scores[:, :1], None, "make two of it, 1 - p and p"),
        (lambda scores: ["cat"] * len(scores), None, "expected a tensor; wrap it"),
        (lambda scores: scores.argmax(1), None, "expected one score for each class"),
        (
            lambda scores: (scores == scores.amax(1, keepdim=True)).long(),
            None,
            "returns int64, expected floats; return",
        ),
        (lambda scores: (scores == scores.amax(1, keepdim=True)).float(), None, "gives only 0 and 1, as labels do"),
        (lambda scores: scores + 1j, None, "returns complex64, expected floats"),
        (lambda scores: scores.softmax(0), None, "its softmax is over the wrong axis: correct it to 'dim=1' (PyTorch)"),
    ],
)
def test_torch_outputs_that_are_no_scores_are_refused(nn, change, output, cure):
    refused(Torch.from_object(returning(nn, change), shape=SHAPE, output=output), cure)


def test_a_view_that_mixes_images_is_refused(nn):
    module = returning(
        nn, lambda scores: scores, nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 144)), nn.Linear(144, 4))
    )
    agrees(
        Torch.from_object(module, shape=SHAPE, input_range=(0, 1)), lambda images: softmax(scores_of(module, images))
    )
    refused(Torch.from_object(module, shape=(16, 6, 3)), "see whether 'shape' is that of its images")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_weights_that_hooks_compute_are_copied(nn, name):
    """PyTorch refuses to copy such a module."""
    import torch

    body = nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    getattr(torch.nn.utils, name)(body[1])
    module = returning(nn, lambda scores: scores, body)
    made = Torch.from_object(module, shape=SHAPE, input_range=(0, 1))
    agrees(made, lambda images: softmax(scores_of(module, images)))
    assert made.gradient(images_like(made, 2), np.full(2, 1)).any()


def test_sorted_scores_are_warned_of(nn):
    """`output: 0` is what the message about several outputs names; of top-k it has no classes."""
    module = returning(
        nn, lambda scores: (9 * scores.repeat(1, 2)).topk(8), nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    )
    settings = {"shape": SHAPE, "input_range": [0, 1], "output": 0}
    with pytest.warns(fooldeap.FooldeapWarning, match="are sorted, as those of top-k are"):
        fooldeap.fool(module, 1, classifier=settings, stop={"evaluations": 200}, quiet=True)
