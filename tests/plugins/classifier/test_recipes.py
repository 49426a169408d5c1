"""The sections of docs/classifiers.md, one for each kind of model that users have, from a file to a fooled class.

Each case builds its model, runs the code and the YAML of its section, and compares the result with a forward pass in
the model's own framework on the PNG that was written.
"""

import http.server
import importlib
import json
import re
import sys
import threading
import types

import numpy as np
import pytest
from helpers.commands import call
from helpers.experiments import ROOT
from PIL import Image

import fooldeap

SHAPE, NAMES = (8, 8, 1), ["angry", "happy", "sad"]
WEIGHTS = np.random.default_rng(0).normal(0, 3, (64, 3)).astype(np.float32)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")


def section(title):
    """Return the blocks of a section of the page: (language, text)."""
    text = (ROOT / "docs/classifiers.md").read_text()
    (found,) = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    return BLOCK.findall(found)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def linear(keras, activation="softmax"):
    """The same network in Keras 3 and Keras 2. It takes pixels in 0..1."""
    dense = keras.layers.Dense(3, activation=activation)
    model = keras.Sequential([keras.Input(SHAPE) if hasattr(keras, "Input") else None, keras.layers.Flatten(), dense])
    dense.set_weights([WEIGHTS, np.zeros(3, np.float32)])
    return model


NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(64, 3)

    def forward(self, x):
        return self.dense(x.view(x.size(0), -1))
"""


class Case:
    """One kind of model. ``prepare`` builds it and returns its own forward pass on uint8 images (n, 8, 8, 1)."""

    words = ()

    def __init__(self, folder):
        self.folder = folder
        self.names = {}  # what the code of the section may use

    def close(self):
        pass


class Keras3(Case):
    def prepare(self):
        from fooldeap.lazy_tensorflow import tensorflow

        tensorflow()
        import keras

        self.names["model"] = model = linear(keras)
        return lambda images: np.asarray(model(images.astype("f") / 255))


class Subclassed(Case):
    words = ("--trust-model",)

    def prepare(self):
        from fooldeap.lazy_tensorflow import tensorflow

        tensorflow()
        import keras

        (source,) = [text for _, text in section("Subclassed Keras model") if text.startswith("# mynet.py")]
        (self.folder / "mynet.py").write_text(source)
        sys.path.insert(0, str(self.folder))  # as PYTHONPATH does
        self.names |= {"keras": keras, "model": importlib.import_module("mynet").Net()}
        self.names["model"](np.zeros((1, *SHAPE), np.float32))
        self.names["model"].dense.set_weights([WEIGHTS, np.zeros(3, np.float32)])
        return lambda images: np.asarray(self.names["model"](images.astype("f")))

    def close(self):
        sys.path.remove(str(self.folder))
        sys.modules.pop("mynet", None)


class Keras2(Case):
    def prepare(self):
        tf_keras = pytest.importorskip("tf_keras")
        model = linear(tf_keras)
        model.save(self.folder / "old.keras")
        return lambda images: model(images.astype("f") / 255).numpy()


class Saved(Case):
    def prepare(self):
        from fooldeap.lazy_tensorflow import tensorflow

        tf = tensorflow()
        import keras

        model = linear(keras)
        module = tf.Module()
        module.call = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, *SHAPE))])
        module.variables_of_it = model.variables
        tf.saved_model.save(module, self.folder / "saved", signatures={"serving_default": module.call})
        return lambda images: np.asarray(model(images.astype("f") / 255))


class Lite(Case):
    quantized = False

    def prepare(self):
        from fooldeap.lazy_tensorflow import tensorflow

        tf = tensorflow()
        import keras

        converter = tf.lite.TFLiteConverter.from_keras_model(linear(keras))
        if self.quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            rng = np.random.default_rng(1)
            converter.representative_dataset = lambda: [[rng.random((1, *SHAPE), np.float32)] for _ in range(50)]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        content = converter.convert()
        (self.folder / "mine.tflite").write_bytes(content)
        interpreter = tf.lite.Interpreter(model_content=content)

        def forward(images):
            (given,), (got,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(given["index"], (len(images), *SHAPE))
            interpreter.allocate_tensors()
            if self.quantized:  # scale 1/255 and zero point 0, so grey levels are the input
                assert given["quantization"] == (pytest.approx(1 / 255, rel=1e-2), 0)
                scale = given["quantization"][0]
                fed = np.round(images / np.float32(255) / scale).clip(0, 255).astype(np.uint8)
            else:
                fed = images.astype(np.float32) / 255
            interpreter.set_tensor(given["index"], fed)
            interpreter.invoke()
            output = interpreter.get_tensor(got["index"])
            return output.astype(np.float64) / 256 if self.quantized else output

        return forward


class Quantized(Lite):
    quantized = True


class Web(Case):
    """A layers model as TensorFlow.js stores it: a quantized kernel that is split over two files, and a bias."""

    def prepare(self):
        tf_keras = pytest.importorskip("tf_keras")
        layers = json.loads(linear(tf_keras).to_json())
        dense, low, scale = layers["config"]["layers"][-1]["config"]["name"], WEIGHTS.min(), np.ptp(WEIGHTS) / 255
        kernel = np.round((WEIGHTS - low) / scale).astype(np.uint8)
        bias = np.array([0.5, 0, -0.5], np.float32)
        quantization = {"min": float(low), "scale": float(scale), "dtype": "uint8"}
        entries = [
            {"name": f"{dense}/kernel", "shape": [64, 3], "dtype": "float32", "quantization": quantization},
            {"name": f"{dense}/bias", "shape": [3], "dtype": "float32"},
        ]
        manifest = [{"paths": ["shard1", "shard2"], "weights": entries}]
        topology = {"keras_version": "2.2.4", "backend": "tensorflow", "model_config": layers}
        model = {"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}
        content = kernel.tobytes() + bias.tobytes()
        (self.folder / "web").mkdir()
        (self.folder / "web/model.json").write_text(json.dumps(model))
        (self.folder / "web/shard1").write_bytes(content[:100])
        (self.folder / "web/shard2").write_bytes(content[100:])
        return lambda images: softmax(images.reshape(-1, 64) / 255 @ (kernel * float(scale) + float(low)) + bias)


class Module(Case):
    def prepare(self):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        (self.folder / "model.py").write_text(NET)
        exec(NET, self.names)
        self.names["model"] = model = self.names["Net"]().eval()
        model.load_state_dict({"dense.weight": torch.tensor(WEIGHTS.T), "dense.bias": torch.zeros(3)})
        self.names["images"] = torch.zeros(4, 1, 8, 8)

        def forward(images):
            with torch.no_grad():
                return model(torch.tensor(images.transpose(0, 3, 1, 2).tolist()) / 255).softmax(1).numpy()

        return forward


class Exported(Module):
    words = ("--trust-model",)

    def prepare(self):
        if "tensorflow" in sys.modules:
            sys.modules.setdefault("triton", None)  # torch.export would import it, which ends the process
        return super().prepare()


class Onnx(Case):
    scikit = False

    def prepare(self):
        runtime = pytest.importorskip("onnxruntime")
        path = self.folder / "mine.onnx"
        (self.write_scikit if self.scikit else self.write)(path)

        def forward(images):
            session = runtime.InferenceSession(str(path))
            fed = (images.transpose(0, 3, 1, 2) / 255).astype(np.float32)
            fed = fed.reshape(len(images), -1) if self.scikit else fed
            output = session.run(None, {"image": fed})[-1]
            return np.array([[row[each] for each in range(3)] for row in output]) if self.scikit else output

        return forward

    def write(self, path):
        from onnx import TensorProto, helper, numpy_helper, save

        nodes = [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["shares"]),
        ]
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])
        shares = helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", 3])
        graph = helper.make_graph(nodes, "linear", [image], [shares], [numpy_helper.from_array(WEIGHTS, "weights")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        # As torch.onnx.export does by default.
        save(model, path, save_as_external_data=True, location="mine.onnx.data", size_threshold=0)

    def write_scikit(self, path):
        """Write what skl2onnx makes of a logistic regression: a label, and probabilities as mappings."""
        from onnx import TensorProto, helper, save

        domain, labels = "ai.onnx.ml", [0, 1, 2]
        values = {"coefficients": WEIGHTS.T.reshape(-1).tolist(), "intercepts": [0.0] * 3, "classlabels_ints": labels}
        nodes = [
            helper.make_node(
                "LinearClassifier", ["image"], ["label", "p"], domain=domain, post_transform="SOFTMAX", **values
            ),
            helper.make_node("ZipMap", ["p"], ["output_probability"], domain=domain, classlabels_int64s=labels),
        ]
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 64])
        label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
        mapping = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        table = helper.make_value_info("output_probability", helper.make_sequence_type_proto(mapping))
        graph = helper.make_graph(nodes, "scikit", [image], [label, table])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
        save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


class Scikit(Onnx):
    scikit = True


class Hub(Module):
    """A module that answers as those of the package transformers, which stands for it."""

    def prepare(self):
        super().prepare()
        torch, model = pytest.importorskip("torch"), self.names["model"]
        answer = lambda pixel_values: types.SimpleNamespace(logits=model(pixel_values))  # noqa: E731
        made = types.SimpleNamespace(eval=lambda: answer)
        loader = types.SimpleNamespace(from_pretrained=lambda folder: made)
        sys.modules["transformers"] = types.SimpleNamespace(AutoModelForImageClassification=loader)

        def forward(images):
            pixels = (torch.tensor(images.transpose(0, 3, 1, 2).tolist()) / 255 - 0.5) / 0.5
            with torch.no_grad():
                return model(pixels).softmax(1).numpy()

        return forward

    def close(self):
        sys.modules.pop("transformers", None)


class Service(Case):
    def prepare(self):
        def forward(images):
            return softmax(images.reshape(len(images), -1) / 255 @ WEIGHTS.astype(np.float64))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                images = np.array(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["images"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"probabilities": forward(images).tolist()}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return forward

    def close(self):
        self.server.shutdown()
        self.server.server_close()


CASES = [
    ("Keras 3", Keras3),
    ("Subclassed Keras model", Subclassed),
    ("Keras 2", Keras2),
    ("SavedModel", Saved),
    ("TFLite", Lite),
    ("TFLite", Quantized),
    ("TensorFlow.js", Web),
    ("PyTorch module", Module),
    ("Exported program", Exported),
    ("TorchScript", Module),
    ("ONNX", Onnx),
    ("scikit-learn", Scikit),
    ("Hugging Face", Hub),
    ("Web service", Service),
]
IMPORT_TF_KERAS = (Keras2, Web)  # which takes seconds


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("title", "kind"),
    [pytest.param(*case, marks=[pytest.mark.slow] if case[1] in IMPORT_TF_KERAS else []) for case in CASES],
    ids=[f"{title}-{kind.__name__}" for title, kind in CASES],
)
def test_section_leads_from_a_file_to_a_fooled_class(title, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    case = kind(tmp_path)
    forward = case.prepare()
    try:
        for language, text in section(title):
            named = FILE.match(text)
            if language == "py" and named:
                port = f":{case.server.server_port}/" if hasattr(case, "server") else ":8000/"
                (tmp_path / named[1]).write_text(text.replace(":8000/", port))
            elif language == "py":
                exec(compile(text, title, "exec"), {"torch": sys.modules.get("torch"), **case.names})
            elif language == "yaml":
                few = "" if "stop:" in text else "stop: {confidence: 0.9, evaluations: 3000}\n"
                (tmp_path / "mine.yaml").write_text(f"{text}{few}reporters: []\nreport: false\n")
        assert call("run", "mine.yaml", "--out", "run", *case.words) == 0
        result = fooldeap.load("run")
        image = np.asarray(Image.open(tmp_path / "run/images/1.png"), np.uint8).reshape(1, *SHAPE)
        (own,) = forward(image)
        assert result["happy"].reached
        assert result["happy"].predicted == own.argmax() == 1
        assert result["happy"].confidence == pytest.approx(own[1], abs=2e-5)
        assert own[1] >= 0.9
    finally:
        case.close()


def test_every_section_has_a_case():
    text = (ROOT / "docs/classifiers.md").read_text()
    part = text.partition("## Kinds of models\n")[2].partition("\n## ")[0]
    titles = re.findall(r"^### (.*)$", part, re.MULTILINE)
    assert set(titles) == set(dict(CASES))
