"""The Keras classifier: logits of any topology, refusals with their cures, gradients, rows, silence."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from fooldeap.errors import InputError
from fooldeap.evaluation import Evaluator
from fooldeap.quiet import tensorflow
from fooldeap_plugins.classifier._file import path_of
from fooldeap_plugins.classifier.keras import Keras

SHIPPED = ("mnist_cnn", "mnist_lenet")


@pytest.fixture(scope="module")
def keras():
    tensorflow()
    import keras

    keras.utils.set_random_seed(7)
    return keras


def images_like(classifier, count=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *classifier.input_shape), dtype=np.uint8)


def softmax(logits):
    scores = logits.astype(np.float64)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# --- Topologies, each a function of keras that returns a model with random weights --------------------------


def dense_softmax(keras, shape=(28, 28, 1), classes=10):
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def softmax_layer(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((9, 7, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(4), k.Softmax()])


def activation_layer(keras):
    k = keras.layers
    layers = [keras.Input((9, 7, 3)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(4), k.Activation("softmax")]
    return keras.Sequential(layers)


def softmax_operation(keras):
    image = keras.Input((8, 8, 1))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(image / 255.0))
    return keras.Model(image, keras.ops.softmax(scores, axis=-1))


def pooling_and_activation(keras):
    image = keras.Input((12, 12, 1))
    maps = keras.layers.Conv2D(6, 3)(keras.layers.Rescaling(1 / 127.5, offset=-1)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.Model(image, keras.layers.Activation("softmax")(pooled))


def sequential_in_sequential(keras):
    return keras.Sequential([keras.Input((28, 28, 1)), keras.Sequential([dense_softmax(keras)])])


def nested_functional(keras):
    features = keras.Input((6,))
    head = keras.Model(features, keras.layers.Dense(5, activation="softmax")(features))
    image = keras.Input((16, 16, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, head(keras.layers.Dense(6, activation="tanh")(flat)))


def mixed_precision(keras):
    half = {"dtype": "mixed_float16"}
    image = keras.Input((10, 10, 1))
    maps = keras.layers.Conv2D(4, 3, activation="relu", **half)(keras.layers.Rescaling(1 / 255)(image))
    scores = keras.layers.Dense(5, **half)(keras.layers.Flatten(**half)(maps))
    return keras.Model(image, keras.layers.Activation("softmax", dtype="float32")(scores))


def colour_of_five(keras):
    return dense_softmax(keras, (32, 32, 3), 5)


def two_classes(keras):
    return dense_softmax(keras, (11, 13, 1), 2)


def without_channels(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((28, 28)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(10, "softmax")])


TOPOLOGIES = (
    dense_softmax,
    softmax_layer,
    activation_layer,
    softmax_operation,
    pooling_and_activation,
    sequential_in_sequential,
    nested_functional,
    mixed_precision,
    colour_of_five,
    two_classes,
    without_channels,
)
LOST = [(softmax_operation, ".h5")]  # Keras writes layers to HDF5, and no operations


@pytest.mark.parametrize(
    ("build", "suffix"),
    [(build, suffix) for build in TOPOLOGIES for suffix in (".keras", ".h5", None) if (build, suffix) not in LOST],
)
def test_softmax_of_the_logits_is_the_models_own_output(keras, tmp_path, build, suffix):
    model = build(keras)
    classifier = saved(model, tmp_path, suffix)
    images = images_like(classifier)
    logits = classifier.logits(images)
    own = model.predict(images.reshape(64, *model.input_shape[1:]), verbose=0)
    assert logits.dtype == np.float32
    assert logits.shape == (64, classifier.classes) == own.shape
    assert np.abs(softmax(logits) - own).max() <= 1e-5
    assert not np.allclose(logits, own)


def saved(model, folder, suffix):
    if suffix is None:
        return Keras.from_object(model)
    path = folder / f"model{suffix}"
    model.save(path)
    return Keras(model=str(path))


def test_a_layer_used_twice_is_cut_where_the_output_came_from(keras):
    image = keras.Input((2, 2, 1))
    head = keras.layers.Dense(4, activation="softmax")
    model = keras.Model(image, head(head(keras.layers.Flatten()(image / 255.0))))
    classifier = Keras.from_object(model)
    images = images_like(classifier)
    assert np.abs(softmax(classifier.logits(images)) - model.predict(images, verbose=0)).max() <= 1e-5


def test_half_precision_to_the_end_is_compared_in_half_precision(keras):
    image = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", dtype="mixed_float16")(flat))
    classifier = Keras.from_object(model)
    images = images_like(classifier)
    logits = classifier.logits(images)
    assert logits.dtype == np.float32
    assert np.abs(softmax(logits) - model.predict(images, verbose=0)).max() <= 2e-3


def test_logits_where_the_model_gives_them(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 1)), k.Flatten(), k.Dense(3)])
    classifier = Keras.from_object(model, outputs="logits")
    images = images_like(classifier)
    np.testing.assert_allclose(classifier.logits(images), model.predict(images, verbose=0), rtol=1e-6)


def test_logarithms_where_the_model_gives_probabilities_otherwise(keras):
    model = normalised(keras)
    classifier = Keras.from_object(model, outputs="probabilities")
    images = images_like(classifier)
    assert np.abs(softmax(classifier.logits(images)) - model.predict(images, verbose=0)).max() <= 1e-5


def normalised(keras):
    """Outputs that sum to 1 without any softmax."""
    image = keras.Input((5, 5, 1))
    scores = keras.layers.Dense(3, activation="sigmoid")(keras.layers.Flatten()(image / 255.0))
    return keras.Model(image, scores / keras.ops.sum(scores, axis=1, keepdims=True))


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (-1, 1)])
def test_input_range(keras, low, high):
    k = keras.layers
    small = keras.initializers.RandomNormal(stddev=1e-2)
    model = keras.Sequential([keras.Input((6, 6, 1)), k.Flatten(), k.Dense(4, "softmax", kernel_initializer=small)])
    classifier = Keras.from_object(model, input_range=(low, high))
    images = images_like(classifier)
    scaled = low + images.astype(np.float32) * (high - low) / 255
    assert np.abs(softmax(classifier.logits(images)) - model.predict(scaled, verbose=0)).max() <= 1e-5


def test_the_users_model_is_left_as_it_was(keras):
    model = nested_functional(keras)
    before = (model.to_json(), [len(layer._inbound_nodes) for layer in model.layers], model.get_weights())
    classifier = Keras.from_object(model)
    classifier.gradient(images_like(classifier), 1)
    assert model.to_json() == before[0]
    assert [len(layer._inbound_nodes) for layer in model.layers] == before[1]
    assert all(map(np.array_equal, model.get_weights(), before[2]))


# --- Refusals -----------------------------------------------------------------------------------------------


def sigmoid_head(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((5, 5, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(3, "sigmoid")])


def two_inputs(keras):
    first, second = keras.Input((5, 5, 1)), keras.Input((5, 5, 1))
    k = keras.layers
    return keras.Model([first, second], k.Dense(3, "softmax")(k.Flatten()(first + second)))


def two_outputs(keras):
    image = keras.Input((5, 5, 1))
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, [keras.layers.Dense(3, "softmax")(flat), keras.layers.Dense(3)(flat)])


def any_size(keras):
    image = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(3, 3)(image))
    return keras.Model(image, keras.layers.Softmax()(pooled))


def four_channels(keras):
    return dense_softmax(keras, (8, 8, 4))


def flat_input(keras):
    return keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")])


def one_class(keras):
    return dense_softmax(keras, classes=1)


def map_of_classes(keras):
    return keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Conv2D(3, 1, activation="softmax")])


def not_finite(keras):
    model = dense_softmax(keras)
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    return model


REFUSED = [
    (sigmoid_head, "outputs: logits"),
    (normalised, "outputs: probabilities"),
    (two_inputs, "expected one of each"),
    (two_outputs, "expected one of each"),
    (any_size, "keras.Input"),
    (four_channels, "channels 1 or 3"),
    (flat_input, "Reshape"),
    (one_class, "at least 2 classes"),
    (map_of_classes, "Flatten"),
    (not_finite, "NaN"),
]


@pytest.mark.parametrize(("build", "cure"), REFUSED)
def test_refusals_say_the_cure(keras, build, cure):
    refused(Keras.from_object(build(keras)), cure)


def refused(classifier, *parts):
    with pytest.raises(InputError) as error:
        classifier.logits(np.zeros((32, 28, 28, 1), np.uint8))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'keras': ")
    assert all(part in message for part in parts), message


def test_a_claim_about_outputs_is_checked(keras):
    refused(Keras.from_object(dense_softmax(keras), outputs="logits"), "outputs: auto")
    refused(Keras.from_object(sigmoid_head(keras), outputs="probabilities"), "outputs: logits")


def test_a_model_without_an_input_is_refused(keras):
    refused(Keras.from_object(keras.Sequential([keras.layers.Dense(3)])), "keras.Input")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(keras, tmp_path, suffix):
    k = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 1)), k.Lambda(lambda x: x / 255), k.Flatten(), k.Dense(3, "softmax")])
    refused(saved(model, tmp_path, suffix), "Lambda", "layer of Keras in its place")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_layers_are_named(keras, tmp_path, suffix):
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = keras.Sequential([keras.Input((5, 5, 1)), Doubled(), keras.layers.Flatten(), keras.layers.Dense(3)])
    refused(saved(model, tmp_path, suffix), "needs 'Doubled'")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_broken_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"\x89HDF and then nothing")
    refused(Keras(model=str(path)), "damaged or no Keras model")


def test_a_file_of_weights_alone_is_refused(keras, tmp_path):
    path = tmp_path / "only.weights.h5"
    dense_softmax(keras).save_weights(path)
    refused(Keras(model=str(path)), "model.save(")


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("mnist_cn", ("no shipped model 'mnist_cn'", "did you mean 'mnist_cnn'?")),
        ("xyz", ("known: mnist_cnn, mnist_cnn_b, mnist_lenet",)),
        ("nowhere/mine.keras", ("no file 'nowhere/mine.keras'", "known: mnist_cnn, mnist_cnn_b, mnist_lenet")),
        (__file__, (".keras, .h5, .hdf5",)),
    ],
)
def test_a_missing_model_is_refused(model, parts):
    refused(Keras(model=model), *parts)
    with pytest.raises(InputError):
        _ = Keras(model=model).digest


def test_what_is_no_keras_model_is_left_to_others():
    assert Keras.from_object("mnist_cnn") is None
    assert Keras.from_object(lambda x: x) is None


# --- The shipped models, gradients, rows, pickles -----------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_agree_with_predict(keras, name):
    classifier = Keras(model=name)
    model = keras.models.load_model(path_of(name))
    images = images_like(classifier, 200)
    own = model.predict(images, verbose=0)
    assert np.abs(softmax(classifier.logits(images)) - own).max() <= 1e-5
    assert getattr(model, "optimizer", None) is None


@pytest.mark.parametrize("name", SHIPPED)
def test_rows_of_shipped_models_do_not_depend_on_their_batch(name):
    assert Evaluator(Keras(model=name)).row_invariant() is True


def test_a_model_that_mixes_its_rows_is_found_out(keras):
    image = keras.Input((5, 5, 1))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(image / 255.0))
    model = keras.Model(image, scores - keras.ops.mean(scores, axis=0, keepdims=True))
    assert Evaluator(Keras.from_object(model, outputs="logits")).row_invariant() is False


def test_gradient_against_finite_differences(keras):
    k = keras.layers
    layers = [k.Rescaling(1 / 255), k.Conv2D(3, 3, activation="tanh"), k.Flatten(), k.Dense(4, "softmax")]
    classifier = Keras.from_object(keras.Sequential([keras.Input((6, 6, 1)), *layers]))
    images = np.random.default_rng(0).integers(8, 248, (32, 6, 6, 1), dtype=np.uint8)
    gradient = classifier.gradient(images, 2)
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


# --- In a process of its own --------------------------------------------------------------------------------


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_tensorflow_comes_late_and_without_a_word():
    done = run(
        "import sys, numpy\n"
        "from fooldeap.errors import RunError\n"
        "from fooldeap.quiet import tensorflow\n"
        "from fooldeap_plugins.classifier.keras import Keras\n"
        "assert Keras.from_object(object()) is None\n"
        "classifier = Keras(); classifier.digest\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "tensorflow(threads=1)\n"
        "images = numpy.zeros((32, 28, 28, 1), numpy.uint8)\n"
        "assert classifier.logits(images).shape == (32, 10)\n"
        "assert classifier.gradient(images, 0).shape == images.shape\n"
        "tensorflow(threads=1)\n"
        "try: tensorflow(threads=2)\n"
        "except RunError as error: assert 'only before its first use' in str(error)\n"
        "else: assert False\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_backend_is_refused():
    done = run(
        "import sys, types\n"
        "keras = sys.modules['keras'] = types.ModuleType('keras')\n"
        "keras.backend = types.SimpleNamespace(backend=lambda: 'torch')\n"
        "from fooldeap.quiet import tensorflow\n"
        "tensorflow()\n"
    )
    assert done.returncode == 1
    assert "keras runs on its 'torch' backend, expected 'tensorflow'; set KERAS_BACKEND=tensorflow" in done.stderr
