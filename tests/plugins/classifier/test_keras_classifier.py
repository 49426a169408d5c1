"""The Keras classifier: the shipped models, gradients, rows, pickles, silence."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from helpers.keras_models import dense_softmax, images_like, softmax

from fooldeap.engine.calibration import calibrate
from fooldeap.engine.evaluation import Evaluator
from fooldeap.plugin import plugin_of
from fooldeap_plugins.classifier._model import path_of
from fooldeap_plugins.classifier.keras import Keras

SHIPPED = ("mnist_cnn", "mnist_lenet")


# --- The shipped models, gradients, rows, pickles -------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_agree_with_predict(keras, name):
    classifier = Keras(model=name)
    model = keras.models.load_model(path_of(name, plugin_of(Keras)))
    images = images_like(classifier, 200)
    own = model.predict(images, verbose=0)
    assert np.abs(softmax(classifier.logits(images)) - own).max() <= 1e-5
    assert getattr(model, "optimizer", None) is None


@pytest.mark.parametrize("name", SHIPPED)
def test_rows_of_shipped_models_do_not_depend_on_their_batch(name):
    assert calibrate(Evaluator(Keras(model=name))).depends_on == "image"


def test_loading_leaves_the_global_random_generators_alone():
    """Keras draws from them; a run with DEAP's operators in another thread would end in other bits."""
    before = random.getstate()
    classifier = Keras(model="mnist_cnn")
    classifier.gradient(images_like(classifier, 2), np.full(2, 0))
    assert random.getstate() == before


def test_a_model_that_mixes_its_rows_is_found_out(keras):
    image = keras.Input((5, 5, 1))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(image / 255.0))
    model = keras.Model(image, scores - keras.ops.mean(scores, axis=0, keepdims=True))
    assert calibrate(Evaluator(Keras.from_object(model, outputs="logits"))).depends_on == "batch"


def test_gradient_against_finite_differences(keras):
    k = keras.layers
    layers = [k.Rescaling(1 / 255), k.Conv2D(3, 3, activation="tanh"), k.Flatten(), k.Dense(4, "softmax")]
    classifier = Keras.from_object(keras.Sequential([keras.Input((6, 6, 1)), *layers]))
    images = np.random.default_rng(0).integers(8, 248, (32, 6, 6, 1), dtype=np.uint8)
    gradient = classifier.gradient(images, np.full(len(images), 2))
    assert gradient.dtype == np.float32
    assert gradient.shape == images.shape

    def log_p(batch):
        return np.log(softmax(classifier.logits(batch)))[:, 2]

    for row, column in [(0, 0), (2, 3), (5, 5)]:
        step = np.zeros_like(images)
        step[:, row, column] = 8
        slope = (log_p(images + step) - log_p(images - step)) / 16
        np.testing.assert_allclose(gradient[:, row, column, 0], slope, rtol=2e-2, atol=2e-5)


def test_pickles_leave_the_loaded_model_behind(keras):
    classifier = Keras(model="mnist_cnn")
    images = images_like(classifier, 32)
    logits = classifier.logits(images)
    content = pickle.dumps(classifier)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again == classifier
    assert np.array_equal(again.logits(images), logits)

    in_memory = Keras.from_object(dense_softmax(keras))
    copy = pickle.loads(pickle.dumps(in_memory))
    assert np.array_equal(copy.logits(images), in_memory.logits(images))


def test_digest_tells_weights_apart(keras):
    model = dense_softmax(keras)
    before = Keras.from_object(model).digest
    assert Keras.from_object(model).digest == before
    model.set_weights([weights + 1 for weights in model.get_weights()])
    assert Keras.from_object(model).digest != before
    assert len({Keras(model=name).digest for name in SHIPPED}) == 2


# --- In a process of its own ----------------------------------------------------------------------------------------


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_tensorflow_comes_late_and_without_a_word():
    done = run(
        "import sys, numpy\n"
        "from fooldeap.errors import RunError\n"
        "from fooldeap.lazy_tensorflow import tensorflow\n"
        "from fooldeap_plugins.classifier.keras import Keras\n"
        "assert not Keras.takes(object())\n"
        "classifier = Keras(); classifier.digest\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "tensorflow(threads=1)\n"
        "images = numpy.zeros((32, 28, 28, 1), numpy.uint8)\n"
        "assert classifier.logits(images).shape == (32, 10)\n"
        "assert classifier.gradient(images, numpy.full(32, 0)).shape == images.shape\n"
        "tensorflow(threads=1)\n"
        "try: tensorflow(threads=2)\n"
        "except RunError as error: assert 'is already running' in str(error)\n"
        "else: assert False\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_backend_is_refused():
    done = run(
        "import sys, types\n"
        "keras = sys.modules['keras'] = types.ModuleType('keras')\n"
        "keras.backend = types.SimpleNamespace(backend=lambda: 'torch')\n"
        "from fooldeap.lazy_tensorflow import tensorflow\n"
        "tensorflow()\n"
    )
    assert done.returncode == 1
    assert "keras uses the backend 'torch', expected 'tensorflow'; set KERAS_BACKEND=tensorflow" in done.stderr
