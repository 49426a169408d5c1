"""Messages about functions name the exact key, command or code that solves them, see `helpers.cures`."""

import re

import numpy as np
import pytest
from helpers.cures import SHAPE, WEIGHTS, Made, agrees, check, message_of
from helpers.keras_models import softmax


def raw(images):
    return np.einsum("ij,jk->ik", images.reshape(len(images), -1), WEIGHTS)  # of each row alone, to the bit


SIZES = {"shape": list(SHAPE), "classes": 4}


def function(scores, forward=lambda images: softmax(raw(images)), **settings):
    return Made(scores, forward, {**SIZES, **settings})


def votes(images):
    return np.round(raw(images)).astype(np.int64)


FUNCTIONS = {
    "integers": (function(votes, lambda images: softmax(votes(images))), "outputs: logits"),
    "another number of classes": (function(raw, classes=5), "classes: 4"),
    "probabilities that the user calls logits": (
        function(lambda images: softmax(raw(images)), outputs="logits"),
        "outputs: auto",
    ),
    "billable, of an unknown kind": (function(raw, billable=True), "outputs: logits"),
    "billable, of probabilities": (
        function(lambda images: softmax(raw(images)), billable=True),
        "outputs: probabilities",
    ),
    "billable, of wrong logits": (
        function(lambda images: softmax(raw(images)), billable=True, outputs="logits"),
        "outputs: probabilities",
    ),
    "coarse probabilities": (
        function(lambda images: coarse(images), lambda images: coarse(images)),
        "outputs: probabilities",
    ),
    "name of another plugin": (function(raw, name="keras"), "leave 'name' out"),
}


def coarse(images):
    return np.round(softmax(raw(images)) * 63) / 64


@pytest.mark.parametrize("title", FUNCTIONS)
def test_key_solves_what_is_wrong_with_a_function(title):
    check(FUNCTIONS[title][0], *FUNCTIONS[title][1:])


@pytest.mark.parametrize(
    ("wrong", "code", "name"),
    [
        (lambda images: softmax(raw(images))[:, 1], r"(np\.stack\(.*\))$", "p"),
        (lambda images: softmax(raw(images))[:, 1:2], r"(np\.stack\(.*\))$", "p"),
        (lambda images: [list(map(str, row)) for row in softmax(raw(images))], r"as (np\.array\(.*\))$", "rows"),
    ],
)
def test_code_makes_scores_of_other_values(wrong, code, name):
    two = name == "p"
    made = function(wrong, classes=2 if two else 4)
    found = re.search(code, message_of(made, made.settings))[1]

    def corrected(images):
        return eval(found, {"np": np, name: np.reshape(wrong(images), -1) if two else wrong(images)})

    def forward(images):
        shares = softmax(raw(images))
        return np.stack([1 - shares[:, 1], shares[:, 1]], axis=1) if two else shares

    agrees(Made(corrected, forward), made.settings)


def test_rows_and_columns_are_transposed():
    made = function(lambda images: raw(images).T)
    assert message_of(made, made.settings).endswith("; transpose it")
    agrees(function(lambda images: made.model(images).T), made.settings)


SOURCE = """
import numpy as np
WEIGHTS = np.load("weights.npy")

class Net:
    def __call__(self, images):
        return linear(images)

def scaled(images, factor):
    return factor * linear(images)

def scores(images):
    return linear(images)

def linear(images):
    return np.einsum("ij,jk->ik", images.reshape(len(images), -1), WEIGHTS)
"""


@pytest.mark.parametrize(
    ("name", "line", "right"),
    [
        ("Net", r"write (NET = Net\(\)) in its file, and name (NET) instead of Net$", None),
        ("scaled", r"write one: (def (\w+)\(images\): return .*)$", {"...": "1"}),
        ("score", r"did you mean ()'(\w+)'\?$", None),
    ],
)
def test_function_of_a_file_is_written_and_named_as_the_message_says(tmp_path, monkeypatch, name, line, right):
    monkeypatch.chdir(tmp_path)
    np.save("weights.npy", WEIGHTS)
    (tmp_path / "own.py").write_text(SOURCE)
    settings = {"name": "callable", **SIZES}
    made = Made({**settings, "function": f"own.py:{name}"}, lambda images: softmax(raw(images)))
    code, function = re.search(line, message_of(made, {})).groups()
    for old, new in (right or {}).items():
        code = code.replace(old, new)
    (tmp_path / "later.py").write_text(f"{SOURCE}\n{code}\n")
    agrees(made._replace(model={**settings, "function": f"later.py:{function}"}), {})


NEGATED = {
    "negative log-probabilities": (lambda shares: -np.log(shares), r"return (-output) from the model or a function$"),
    "odds": (lambda shares: shares / (1 - shares), r"return (output / \(1 \+ output\)) from the model or a function$"),
}


@pytest.mark.parametrize("title", NEGATED)
@pytest.mark.parametrize("settings", [{}, {"outputs": "logits"}, {"outputs": "logits", "billable": True}])
def test_scores_of_which_a_larger_one_is_no_likelier_class_are_converted_as_the_message_says(title, settings):
    change, code = NEGATED[title]
    made = function(lambda images: change(softmax(raw(images).astype(np.float64) / 8)), **settings)
    message = message_of(made, made.settings)
    assert title.split(",")[0] in message
    cure = re.search(code, message)[1]
    agrees(
        Made(lambda images: eval(cure, {"output": made.model(images)}), lambda images: softmax(raw(images) / 8)),
        {**SIZES, "outputs": "auto"},
    )


def test_axes_of_size_1_do_not_count():
    made = function(lambda images: raw(images).reshape(len(images), 1, 1, 4))
    agrees(made, made.settings)
