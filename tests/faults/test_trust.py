"""What came by mail: model files, data, YAML, run folders. Nothing in them is run, nothing outside them is touched.

A payload here would make a file, `owned`; that it can is shown where it is trusted.
"""

import ast
import contextlib
import io
import json
import pickle
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import KIT, ROOT, TINY
from test_scoop import scoop

import fooldeap
from fooldeap import cli, config, lines, registry, trust
from fooldeap.errors import InputError
from fooldeap.plugin import Command, dataclass, executor
from fooldeap.prepared import Prepared
from fooldeap.rundir import RunFolder, as_yaml
from fooldeap.study import definition, tables
from fooldeap_plugins.classifier.keras import Keras

ESCAPE = "\x1b[2J\x1b]0;owned\x07"  # clears the screen, sets the window's title
CONTROLS = {chr(code) for code in range(160) if code not in range(32, 127)} - {"\n"} | set("\u202e\u2028\u200b")


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """The file that a payload makes, in a folder that one is in."""
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "owned"
    yield marker
    assert not (ROOT / "owned").exists()


class Payload:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_the_payload_works(owned):
    pickle.loads(pickle.dumps(Payload(owned)))
    assert owned.exists()


def call(*words):
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(list(map(str, words)))
    return exit_.value.code


def refused(model):
    """Have a model looked at, and return why it is refused, in one line."""
    with pytest.raises(InputError) as error:
        _ = Keras(model=str(model)).classes
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'keras': model ")
    return message


# --- Models ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras():
    from fooldeap.quiet import tensorflow

    tensorflow()
    import keras

    return keras


def plain(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((5, 5, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(3, "softmax")])


def with_code(keras, marker, path):
    """A model with a layer that makes a file whenever it is called, and so whenever it is loaded."""
    k = keras.layers
    name = str(marker)
    code = k.Lambda(lambda x: (open(name, "w").close(), x / 255)[1], output_shape=(5, 5, 1))  # noqa: PTH123
    keras.Sequential([keras.Input((5, 5, 1)), code, k.Flatten(), k.Dense(3, "softmax")]).save(path)
    marker.unlink(missing_ok=True)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_code_in_a_model_runs_only_if_it_is_trusted(keras, owned, tmp_path, suffix):
    model = with_code(keras, owned, tmp_path / f"model{suffix}")
    assert "holds a Lambda layer, code that is not run; " in refused(model)
    assert refused(model).endswith(
        "or, if you trust whoever made it, run with --trust-model (in Python: trust_model=True)"
    )
    assert not owned.exists()
    with trust.trusting(model=True):
        assert Keras(model=str(model)).classes == 3
    assert owned.exists(), "the payload works"


def test_the_command_asks_for_trust_and_so_does_every_resumption(keras, owned, tmp_path, capsys):
    with_code(keras, owned, tmp_path / "model.keras")
    (tmp_path / "mail.yaml").write_text(
        "name: mail\nclassifier: {name: keras, model: model.keras}\ntargets: 1\nstop: {evaluations: 50}\n"
        "reporters: []\n"
    )
    assert call("run", "mail.yaml") == 2
    assert "--trust-model" in capsys.readouterr().err
    assert not owned.exists()
    assert not (tmp_path / "runs").exists()
    with trust.trusting(model=True), Prepared(config.load("mail.yaml")) as begun:
        folder = RunFolder.create(begun.experiment, tmp_path / "begun")
    assert "trust" not in folder.config.read_text()
    owned.unlink()
    assert call("run", "--resume", folder.path) == 2
    assert not owned.exists()
    assert not trust.given().model
    assert call("run", "--resume", folder.path, "--trust-model") == 0
    assert call("run", "mail.yaml", "--trust-model") == 0
    assert fooldeap.run("mail.yaml", trust_model=True).evaluations == 50
    owned.unlink()
    assert call("run", "mail.yaml") == 2
    assert not owned.exists()


def test_a_study_asks_for_trust(keras, owned, tmp_path, capsys):
    with_code(keras, owned, tmp_path / "model.keras")
    (tmp_path / "mail.yaml").write_text(
        "name: mail\nclassifier: {name: keras, model: model.keras}\ntargets: [0, 1]\nbudget: 100\nseeds: 2\n"
        "vary: {selection: [random, tournament]}\n"
    )
    assert call("compare", "mail.yaml", "--quiet") == 2
    assert call("compare", "mail.yaml", "--dry-run") == 2
    assert "--trust-model" in capsys.readouterr().err
    assert not owned.exists()
    assert call("compare", "mail.yaml", "--dry-run", "--trust-model") == 0
    assert owned.exists()


def test_workers_trust_what_the_user_trusts(keras, owned, tmp_path):
    model = with_code(keras, owned, tmp_path / "model.keras")
    data = {
        "name": "trusted",
        "classifier": {"name": "keras", "model": str(model)},
        "targets": [0, 1],
        "stop": {"confidence": None, "generations": 3},
        "reporters": [],
        "executor": scoop(2),
    }
    with trust.trusting(model=True), Prepared(config.load(data)) as ready:
        ready.executor.wait()
        ready.run(None)
        assert len(ready.crew.done) == 2


@pytest.mark.parametrize(
    "text",
    [
        "trust_model: true",
        "trust-model: true",
        "trust: {model: true}",
        "classifier: {name: keras, trust_model: true}",
        "classifier: {name: keras, safe_mode: false}",
        "classifier: {name: keras, _trusted: true}",
        "executor: {name: scoop, trust_model: true}",
    ],
)
def test_no_file_can_say_that_it_is_trusted(text, owned, tmp_path, capsys):
    (tmp_path / "mail.yaml").write_text(text)
    assert call("run", "mail.yaml") == 2
    assert "unknown key" in capsys.readouterr().err


def rewritten(keras, path, change):
    """A model file whose configuration is changed."""
    plain(keras).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    configuration = json.loads(parts["config.json"])
    parts["config.json"] = json.dumps(change(configuration)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def layer(part):
    """Return a change of a configuration that puts something in place of the layer Rescaling."""

    def change(configuration):
        configuration["config"]["layers"][1] = part
        return configuration

    return change


@pytest.mark.parametrize("name", ["Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"])
def test_layers_that_carry_code_are_refused_by_their_names(keras, owned, tmp_path, name):
    part = {"module": "keras.layers", "class_name": name, "config": {"filepath": "x"}, "registered_name": None}
    assert f"holds a {name} layer" in refused(rewritten(keras, tmp_path / "model.keras", layer(part)))


@pytest.mark.parametrize(
    "part",
    [
        {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None},
        {"module": "evil.deeper", "class_name": "Evil", "config": {}, "registered_name": "evil>Evil"},
        {"module": "evil", "class_name": "function", "config": "strike", "registered_name": "strike"},
        {"module": "keras.layers", "class_name": "ReLU", "config": {"x": [{"module": "evil", "class_name": "Evil"}]}},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": "keras_hub", "class_name": "Evil", "config": {}, "registered_name": None},
    ],
)
def test_modules_that_a_model_names_are_not_imported(keras, owned, tmp_path, monkeypatch, part):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "code outside Keras; " in refused(rewritten(keras, tmp_path / "model.keras", layer(part)))
    assert not owned.exists()


def test_a_custom_layer_is_imported_if_the_model_is_trusted(keras, owned, tmp_path, monkeypatch):
    (tmp_path / "doubling.py").write_text(
        "import keras\n\n\n@keras.saving.register_keras_serializable('mine')\nclass Doubled(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 2 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    part = {"module": "doubling", "class_name": "Doubled", "config": {}, "registered_name": "mine>Doubled"}
    model = rewritten(keras, tmp_path / "model.keras", layer(part))
    assert "needs 'Doubled', code outside Keras; " in refused(model)
    with trust.trusting(model=True):
        assert Keras(model=str(model)).classes == 3
    assert Keras(model=str(model)).classes == 3, "what the user's own code has told Keras of is no secret any more"


def dressed_pickle(path, marker):
    path.write_bytes(pickle.dumps(Payload(marker)))


def zipped_pickle(path, marker):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "metadata.json", "data.pkl", "model.weights.h5", "model/data.pkl"):
            archive.writestr(name, pickle.dumps(Payload(marker)))


@pytest.mark.parametrize("dress", [dressed_pickle, zipped_pickle])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_pickle_dressed_as_a_model(owned, tmp_path, dress, suffix):
    dress(tmp_path / f"model{suffix}", owned)
    assert "damaged or no Keras model" in refused(tmp_path / f"model{suffix}")
    assert not owned.exists()


def test_weights_that_are_pickled_objects(keras, owned, tmp_path):
    model = rewritten(keras, tmp_path / "model.keras", lambda configuration: configuration)
    with zipfile.ZipFile(model) as archive:
        configuration = archive.read("config.json")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", configuration)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.npz", object_arrays(["layers/dense/vars", "__root__"], owned))
    refused(model)
    assert not owned.exists()


def object_arrays(names, marker):
    """A .npz file of pickled objects."""
    content, array = io.BytesIO(), np.empty(1, object)
    array[0] = Payload(marker)
    np.savez(content, **dict.fromkeys(names, array))
    return content.getvalue()


@pytest.mark.parametrize(
    "name",
    ["assets/../../owned", "../owned", "/tmp/fooldeap-owned", "a\\..\\..\\owned", "c:owned", "assets/x/../../owned"],
)
def test_parts_of_an_archive_that_climb_out(keras, owned, tmp_path, name):
    model = tmp_path / "model.keras"
    plain(keras).save(model)
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("assets/plain", "")
        archive.writestr(name, "x")
    assert "leads out of the archive" in refused(model)
    assert not owned.exists()
    assert not Path("/tmp/fooldeap-owned").exists()


def declared(archive, name, size):
    """Write a part that says it is larger than it is."""
    archive.writestr(name, b"x" * 1000, zipfile.ZIP_DEFLATED)
    archive.getinfo(name).file_size = size


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/x"])
def test_parts_that_are_bombs(keras, owned, tmp_path, name):
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w") as archive:
        for each in ("config.json", "metadata.json", "model.weights.h5"):
            if each != name:
                archive.writestr(each, "{}")
        declared(archive, name, 1 << 40)
    with at_most(megabytes=20):
        assert "would unpack to 1,099,511," in refused(model)


def test_a_configuration_that_is_a_bomb(owned, tmp_path):
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (100 << 20))
    assert model.stat().st_size < 200_000
    with at_most(megabytes=20):
        assert "would unpack to 104,857,600 bytes" in refused(model)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "", "null", "[]", '"x"', "1e999", '{"class_name": []}']
)
def test_configurations_that_are_none(keras, owned, tmp_path, text):
    model = tmp_path / "model.keras"
    plain(keras).save(model)
    with zipfile.ZipFile(model) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights)
    refused(model)


@contextlib.contextmanager
def at_most(*, megabytes):
    """Python's memory at its most within a block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


def huge(file, folder):
    file.create_dataset("bomb", shape=(1 << 42,), chunks=(1 << 20,), dtype="u1")


def linked(file, folder):
    import h5py

    file["elsewhere"] = h5py.ExternalLink(str(folder / "secret.h5"), "/secret")


def stored_elsewhere(file, folder):
    file.create_dataset("elsewhere", shape=(4,), dtype="u1", external=[(str(folder / "secret"), 0, 4)])


def virtual(file, folder):
    import h5py

    layout = h5py.VirtualLayout(shape=(4,), dtype="u1")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "secret", shape=(4,))
    file.create_virtual_dataset("elsewhere", layout)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (huge, "would unpack to 4,398,"),
        (linked, "names other files"),
        (stored_elsewhere, "other files"),
        (virtual, "other"),
    ],
)
def test_arrays_that_are_bombs_or_elsewhere(keras, owned, tmp_path, suffix, spoil, said):
    import h5py

    (tmp_path / "secret").write_bytes(b"1234")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.arange(4, dtype=np.uint8)
    model = tmp_path / f"model{suffix}"
    plain(keras).save(model)
    if suffix == ".h5":
        with h5py.File(model, "a") as file:
            spoil(file, tmp_path)
    else:
        with zipfile.ZipFile(model) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        weights = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(weights, "a") as file:
            spoil(file, tmp_path)
        with zipfile.ZipFile(model, "w") as archive:
            for name, part in {**parts, "model.weights.h5": weights.getvalue()}.items():
                archive.writestr(name, part)
    assert said in refused(model)


# --- Data -----------------------------------------------------------------------------------------------------------

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def test_data_sets_of_pickled_objects(owned, tmp_path):
    (tmp_path / "data.npz").write_bytes(object_arrays(ARRAYS, owned))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Payload(owned)))
    np.save(tmp_path / "array.npy", np.array([Payload(owned)], object), allow_pickle=True)
    for name in ("data.npz", "pickle.npz", "array.npy"):
        with pytest.raises(InputError, match=r"^dataset 'npz': .* is no readable \.npz archive"):
            registry.load().get("dataset", "npz").build({"path": str(tmp_path / name)}).load()
    assert not owned.exists()


def test_data_sets_that_are_bombs(owned, tmp_path):
    import gzip

    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for name in ARRAYS:
            declared(archive, f"{name}.npy", 1 << 40)
    with at_most(megabytes=20), pytest.raises(InputError, match="would unpack to 4,398,046,511,104 bytes"):
        registry.load().get("dataset", "npz").build({"path": str(tmp_path / "data.npz")}).load()
    for sizes, said in (((1 << 31, 1 << 10, 1 << 10), "would unpack to"), ((1, 2, 2), "holds more values")):
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, *sizes)
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(50 << 20)))
        with at_most(megabytes=20), pytest.raises(InputError, match=said):
            registry.load().get("dataset", "idx").build({"folder": str(tmp_path)}).load()


# --- The sources ----------------------------------------------------------------------------------------------------

# What could run what it reads, and where it may stand: the reason.
DANGEROUS = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "torch",
}
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "system",
    "popen",
    "unsafe_load",
    "full_load",
    "load_all",
    "func_load",
}
ALLOWED = {
    "plugins/executor/_pool.py": "writes the work for its own workers' standard input",
    "plugins/executor/_calls.py": "SCOOP's own traffic, between our processes, by sockets that no other user can reach",
    "plugins/executor/_worker.py": "reads the work from its own root, on its standard input",
    "fooldeap/testing/contract.py": "writes the state of numpy's random numbers, to compare it",
    "fooldeap/testing/batches.py": "copies a batch that a plugin on trial made in this process",
    "fooldeap/testing/every.py": "copies a plugin on trial, as workers will",
}


def dangers(source):
    """Yield what in a source could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (module for module in modules if module.split(".")[0] in DANGEROUS)
        if isinstance(node, ast.Call):
            yield from dangers_of_call(node)


def dangers_of_call(node):
    of = ast.unparse(node.func)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    name = of.rpartition(".")[2]
    if name in CALLS and of not in ("re.compile", "model.compile"):
        yield of
    if of in ("np.load", "numpy.load", "np.fromfile") and options.get("allow_pickle") != "False":
        yield f"{of} without allow_pickle=False"
    if options.get("shell", "False") != "False":
        yield f"{of} with a shell"
    if name == "load_model" and options.get("safe_mode") != "not trusted":
        yield f"{of} without safe_mode"
    if name == "YAML" and options.get("typ") != "'safe'":
        yield f"{of} of another type"


def test_nothing_of_ours_runs_what_it_reads():
    found = {}
    for folder in ("fooldeap", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            said = sorted(set(dangers(path.read_text(encoding="utf-8"))))
            if said:
                found[path.relative_to(ROOT).as_posix()] = said
    assert found == {path: ["pickle"] for path in ALLOWED}


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from pickle import loads", "import torch.hub", "eval('1')", "exec('1')", "os.system('x')"),
        *("np.load(p)", "np.load(p, allow_pickle=True)", "subprocess.run(x, shell=True)", "yaml.YAML(typ='unsafe')"),
        *("YAML()", "keras.models.load_model(p)", "builtins.__import__('x')", "yaml.unsafe_load(x)"),
    ],
)
def test_the_scan_finds_what_it_is_for(source):
    assert list(dangers(source))


# --- Plugins and commands that a file names -------------------------------------------------------------------------

EVIL = "import sys\nopen({marker!r}, 'w').close()\nprint('imported', file=sys.stderr)\n" + (
    "from fooldeap.plugin import mutation\n\n\n@mutation('evil')\ndef evil(images, rng):\n"
    "    '''Do nothing.'''\n    return images\n"
)


@pytest.fixture
def evil(owned, tmp_path):
    """A plugin that makes a file when it is imported, in the folder above the one that one is in."""
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    with contextlib.chdir(inner):
        (tmp_path / "evil.py").write_text(EVIL.format(marker=str(owned)))
        yield tmp_path / "evil.py"


SMALL = as_yaml({**TINY, "mutation": "evil", "targets": [1], "stop": {"evaluations": 30}, "reporters": []})
VARIED = "vary: {selection: [random, tournament]}\n"


def named(*plugins):
    return f"plugins: {json.dumps([str(KIT), *map(str, plugins)])}\n"


@pytest.mark.parametrize(("command", "more"), [("run", ""), ("compare", VARIED)])
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_plugin_that_a_file_names_is_announced_before_it_is_imported(evil, capfd, command, more, quiet):
    Path("mail.yaml").write_text(SMALL + more + named("../../evil.py"))
    assert call(command, "mail.yaml", "seeds=2", *quiet) == 0
    said = capfd.readouterr().err.splitlines()
    told = [f"fooldeap: runs the plugins in {path}, which mail.yaml names" for path in (KIT, evil)]
    assert [line for line in said if line in (*told, "imported")] == [*told, "imported"]


@pytest.mark.parametrize(("command", "more"), [("run", ""), ("compare", VARIED)])
def test_plugins_that_a_file_names_can_be_refused(evil, owned, capfd, command, more):
    Path("mail.yaml").write_text(named("../../evil.py") + SMALL + more)
    assert call(command, "mail.yaml", "--no-plugins") == 2
    assert capfd.readouterr().err == (
        f"fooldeap: mail.yaml:1:11: plugins[0]: runs the plugins in {KIT}, which --no-plugins refuses; look at it, and "
        "then leave that option out or say it yourself\n"
    )
    assert not owned.exists()
    assert not Path("runs").exists()


def test_plugins_in_the_base_of_a_file_are_its_own(evil, owned, capfd):
    Path("base.yaml").write_text("plugins: [../../evil.py]\n")
    Path("mail.yaml").write_text("base: base.yaml\n")
    assert call("run", "mail.yaml", "--no-plugins") == 2
    assert "fooldeap: base.yaml:1:11: plugins[0]: runs the plugins in " in capfd.readouterr().err
    assert not owned.exists()


@pytest.mark.parametrize("name", ["command line", "argument", "defaults", "budget"])
def test_a_file_cannot_pass_for_the_user_by_its_name(evil, owned, capfd, name):
    Path(name).write_text("plugins: [../../evil.py]\n")
    Path("mail.yaml").write_text(f"base: {name}\n")
    for file in (name, "mail.yaml"):
        assert call("run", file, "--no-plugins") == 2
        assert f"fooldeap: {name}:1:11: plugins[0]: runs the plugins in" in capfd.readouterr().err
    assert not owned.exists()


def test_what_the_user_names_needs_no_word(evil, capfd):
    Path("mine.yaml").write_text(SMALL)
    assert call("run", "mine.yaml", "--plugins", KIT, "--plugins", evil, "--no-plugins", "--quiet") == 0
    assert call("run", "mine.yaml", "--plugins", KIT, f"plugins=[{evil}]", "--no-plugins", "--quiet") == 0
    fooldeap.run("mine.yaml", plugins=[KIT, evil], no_plugins=True, quiet=True)
    assert capfd.readouterr().err == "imported\n"


def test_what_lies_compiled_beside_a_plugin_is_not_run(evil, owned, capfd):
    import importlib.util
    import py_compile

    compiled = importlib.util.cache_from_source(str(evil))
    py_compile.compile(str(evil), compiled, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    evil.write_text(EVIL.format(marker="x").partition("\nprint")[2].partition("\n")[2])  # what one looks at is harmless
    Path("mail.yaml").write_text(SMALL + named(evil))
    assert call("run", "mail.yaml", "--quiet") == 0
    assert not owned.exists()
    evil.with_suffix(".pyc").write_bytes(Path(compiled).read_bytes())
    Path("mail.yaml").write_text(SMALL + named(evil.with_suffix(".pyc")))
    assert call("run", "mail.yaml") == 2
    assert "its name must end in .py" in capfd.readouterr().err


def test_workers_take_no_module_of_the_current_folder(owned, tmp_path):
    for module in ("json", "socket", "numpy", "keras", "scoop", "fooldeap", "fooldeap_plugins", "sitecustomize"):
        Path(f"{module}.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    data = {**TINY, "plugins": [str(KIT)], "classifier": {"name": "slow", "pause": 0.001}}
    data["executor"] = scoop(2, "runs")
    with Prepared(config.load({**data, "targets": [1, 2], "stop": {"generations": 3}, "reporters": []})) as ready:
        ready.executor.wait()
        ready.run(None)
        assert len(ready.crew.done) == 2
    assert not owned.exists()


def test_figures_are_not_drawn_as_the_current_folder_has_it(owned, tmp_path):
    Path("matplotlibrc").write_text("text.usetex: True\nbackend: module://evil\nsavefig.format: svg\n")
    Path("evil.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    data = {**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30}, "reporters": ["figures"]}
    Path("mail.yaml").write_text(as_yaml(data))
    run = [sys.executable, "-P", "-m", "fooldeap", "run", "mail.yaml", "--out", "out", "--quiet"]
    ended = subprocess.run(run, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert Path("out/figures/growth.png").read_bytes().startswith(b"\x89PNG")
    assert not owned.exists()


@pytest.mark.parametrize(("file", "option"), [("config.yaml", "run"), ("study.yaml", "compare")])
def test_a_folder_that_came_by_mail(evil, owned, capfd, file, option):
    Path("mail").mkdir()
    Path("mail", file).write_text(SMALL + (VARIED if option == "compare" else "") + named("../../../evil.py"))
    assert call(option, "--resume", "mail", "--no-plugins") == 2
    assert f"fooldeap: mail/{file}:" in capfd.readouterr().err
    assert not owned.exists()
    assert [path.name for path in Path("mail").iterdir()] == [file]
    assert call(option, "--resume", "mail", "--quiet") == 0
    assert f"fooldeap: runs the plugins in {evil}, which mail/{file} names\n" in capfd.readouterr().err


def test_python_can_refuse_plugins_too(evil, owned):
    Path("mail.yaml").write_text(SMALL + named(evil))
    for load in (fooldeap.run, fooldeap.toolbox, fooldeap.compare):
        with pytest.raises(InputError, match="which --no-plugins refuses"):
            load("mail.yaml", no_plugins=True)
    assert not owned.exists()
    assert not trust.given().no_plugins


@pytest.mark.parametrize("key", ["ssh", "python", "hosts"])
def test_commands_that_a_file_names_are_announced_or_refused(owned, tmp_path, capfd, key):
    Path("hosts").write_text("far.away 1\n")
    given = {"hosts": "hosts", "ssh": "ssh", key: {"hosts": "hosts"}.get(key, f"touch {owned}")}
    Path("mail.yaml").write_text(as_yaml({"executor": {"name": "scoop", "workers": 1, **given}}))
    assert call("run", "mail.yaml", "--no-plugins") == 2
    said = capfd.readouterr().err
    assert said.startswith("fooldeap: mail.yaml:1:")
    assert "which --no-plugins refuses" in said
    assert not owned.exists()
    config.load("mail.yaml")
    shown = tmp_path / "hosts" if key == "hosts" else given[key]
    assert f"fooldeap: uses executor.{key}: {shown}, which mail.yaml names\n" in capfd.readouterr().err
    with trust.trusting(no_plugins=True):
        assert config.load({}, [f"executor={as_yaml({'name': 'scoop', **given})}"])


def test_a_command_inside_a_plugin_of_ones_own_is_announced_once_in_a_study(tmp_path, capsys, monkeypatch):
    @executor("farm")
    @dataclass(kw_only=True)
    class Farm:
        """Nothing."""

        run: Command = "true"

    (tmp_path / "mail.yaml").write_text("executor: {name: farm, run: rm -r}\n" + VARIED)
    definition.load(tmp_path / "mail.yaml", plugins=[Farm])
    assert capsys.readouterr().err == f"fooldeap: uses executor.run: rm -r, which {tmp_path}/mail.yaml names\n"


# --- What is shown --------------------------------------------------------------------------------------------------


def harmless(capfd):
    shown = capfd.readouterr()
    text = shown.out + shown.err
    assert CONTROLS.isdisjoint(text), ascii(text)
    return text


BAD = 'from fooldeap.plugin import mutation\n\n\n@mutation("bad")\ndef bad(images, rng):\n    """Be {0}."""\n    {1}\n'


def quoted(text):
    return json.dumps(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{quoted(ESCAPE)}: 1",
        f"name: {quoted(ESCAPE)}",
        f"mutation: {quoted(ESCAPE)}",
        f"mutation: {{name: gaussian, {quoted(ESCAPE)}: 1}}",
        f"mutation: {{name: gaussian, rate: {quoted(ESCAPE)}}}",
        f"plugins: [{quoted(ESCAPE)}]",
        f"base: {quoted(ESCAPE)}",
        f"classifier: {{name: keras, model: {quoted(ESCAPE + '.keras')}}}",
        f"dataset: {{name: npz, path: {quoted(ESCAPE)}}}",
        f"dataset: {{name: idx, folder: {quoted(ESCAPE)}}}",
        f"executor: {{name: scoop, hosts: {quoted(ESCAPE)}}}",
        f"executor: {{name: scoop, ssh: {quoted(ESCAPE)}, hosts: mail.yaml}}",
        f"vary: {{selection: {{{quoted(ESCAPE)}: random}}}}",
        f"vary: {{{quoted(ESCAPE)}: [1, 2]}}",
        f"tried: {quoted(ESCAPE)}\n{VARIED}",
        f"variants: {{{quoted(ESCAPE)}: {{}}, b: {{}}}}",
        f"a: *{ESCAPE}",
        f"a: !{ESCAPE} b",
        ESCAPE,
    ],
)
def test_no_file_moves_the_cursor(text, owned, tmp_path, capfd):
    Path("mail.yaml").write_text(text)
    for command in ("run", "compare", "train"):
        assert call(command, "mail.yaml") == 2
        assert harmless(capfd).startswith("fooldeap: ")


def test_no_name_of_a_file_moves_the_cursor(owned, tmp_path, capfd):
    folder = Path(f"{ESCAPE}[bold]x\n\u202e")
    folder.mkdir()
    file, text = folder / f"{ESCAPE}.py", as_yaml({**TINY, "stop": {"evaluations": 20}, "reporters": ["console"]})
    file.write_text(BAD.format("x", "return images"))
    (folder / "mail.yaml").write_text(text)
    out, also = folder / "out", ["--plugins", KIT, "--plugins", file]
    assert call("run", folder / "mail.yaml", "targets=[1]", *also, "--out", out) == 0
    assert "[bold]x" in harmless(capfd), "nothing is markup"
    assert call("run", folder / "mail.yaml", "targets=[1]", *also, "--out", out) == 2
    assert call("run", "--resume", out) == 0
    assert call("run", folder / "none.yaml") == 2
    assert call("plugins", "show", "bad", "--plugins", file) == 0
    assert call("plugins", "check", file) in (0, 1)
    harmless(capfd)


def test_a_name_that_is_no_text(owned, tmp_path, capfd):
    folder = Path("\udcff")
    folder.mkdir()
    (folder / "bad.py").write_text(BAD.format("x", "return images"))
    (folder / "mail.yaml").write_text("plugins: [bad.py]\nmutation: bad\n")
    assert call("run", folder / "mail.yaml") == 2
    assert call("run", folder / "mail.yaml", "--plugins", folder / "bad.py") == 2
    assert harmless(capfd).count("is no UTF-8 text; rename it") == 2


def test_no_word_on_the_command_line_moves_the_cursor(owned, capfd):
    Path("x.yaml").touch()
    for words in (["run", ESCAPE], ["run", "x.yaml", f"{ESCAPE}=1"], ["run", "x.yaml", f"name={ESCAPE}"], [ESCAPE]):
        assert call(*words) == 2
    assert call("run", "x.yaml", f"--{ESCAPE}") == 2
    assert call("run", "x.yaml", "--workers", ESCAPE) == 2
    assert call("plugins", "show", ESCAPE) == 2
    assert call("plugins", "list", ESCAPE) == 2
    assert call("plugins", "new", "mutation", ESCAPE) == 2
    harmless(capfd)


@pytest.mark.parametrize(
    "does",
    [
        "raise ValueError({0!r})",
        "import warnings, fooldeap.errors as e; warnings.warn({0!r}, e.FooldeapWarning); return images",
    ],
)
def test_no_plugin_moves_the_cursor_by_what_it_says(owned, tmp_path, capfd, does):
    Path("bad.py").write_text(BAD.format(ESCAPE, does.format(ESCAPE)))
    Path("x.yaml").write_text(as_yaml({**TINY, "mutation": "bad", "stop": {"evaluations": 60}, "targets": [1]}))
    with warnings.catch_warnings(action="always"):
        call("run", "x.yaml", "--plugins", KIT, "--plugins", "bad.py", "--out", "out")
    call("plugins", "list", "--plugins", "bad.py")
    call("plugins", "show", "bad", "--plugins", "bad.py")
    call("plugins", "check", "bad.py")
    Path("worse.py").write_text(f"raise ValueError({ESCAPE!r})")
    assert call("plugins", "list", "--plugins", "worse.py") == 2
    harmless(capfd)
    for log in Path("out").glob("*.log"):
        assert CONTROLS.isdisjoint(log.read_text().replace("\t", ""))


def test_no_variant_that_fails_moves_the_cursor(owned, tmp_path, capfd):
    Path("bad.py").write_text(BAD.format("x", f"raise ValueError({(ESCAPE + ' | ![x](http://x) <b>')!r})"))
    Path("x.yaml").write_text(
        as_yaml({**TINY, "targets": [1], "seeds": 2, "budget": 60}) + "vary: {mutation: [bad, random_pixels, invert]}\n"
    )
    with warnings.catch_warnings(action="always"):
        call("compare", "x.yaml", "--plugins", KIT, "--plugins", "bad.py", "--out", "out")
    harmless(capfd)
    report = Path("out/report.md").read_text()
    assert CONTROLS.isdisjoint(report)
    assert "\\x1b" in report
    assert r"![x]\(http://x) \<b>" in report
    assert CONTROLS.isdisjoint(Path("out/variants/bad/error.log").read_text())


def test_no_layer_of_a_model_moves_the_cursor(keras, owned, tmp_path, capfd):
    name = f"layer{ESCAPE}"
    part = {"module": "evil", "class_name": name, "config": {"name": name}, "registered_name": None}
    rewritten(keras, tmp_path / "model.keras", layer(part))
    for change in (
        part,
        {**part, "module": "keras.layers"},
        {**part, "class_name": "Conv2D", "module": "keras.layers"},
    ):
        rewritten(keras, tmp_path / "model.keras", layer(change))
        Path("x.yaml").write_text("classifier: {name: keras, model: model.keras}\n")
        assert call("run", "x.yaml") == 2
        assert harmless(capfd).count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é ∞ 15\u202f800 ½", "plain é ∞ 15\u202f800 ½"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31m\x9b\x07\r\x7f", r"\x1b[31m\x9b\x07\r\x7f"),
        ("\u202eevil\u2028\u200b\ufeff", r"\u202eevil\u2028\u200b\ufeff"),
        ("\udcff\ud800", r"\udcff\ud800"),
        (ValueError("x\x00"), r"x\x00"),
    ],
)
def test_what_is_printable(text, shown):
    assert lines.printable(text) == shown


def test_every_line_says_whose_it_is(capsys):
    lines.tell("one\nfooldeap: two\x85three\r\u2028four")
    assert capsys.readouterr().err == "fooldeap: one\nfooldeap: fooldeap: two\\x85three\\r\\u2028four\n"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a | b", r"a \| b"),
        ("[x](http://x)", r"[x]\(http://x)"),
        ("![x][y]\n[y]: http://x", r"![x]\[y] [y]\: http://x"),
        ("<script> 1 < 2", r"\<script> 1 < 2"),
        ("`*x*`", r"\`\*x\*\`"),
        ("98.7 % [95.3, 99.6]", "98.7 % [95.3, 99.6]"),
        ("\x1b[2J", r"\\x1b[2J"),
    ],
)
def test_nothing_is_markdown(text, markdown):
    assert lines.markdown(text) == markdown


def test_nothing_is_latex():
    assert tables._tex("\\input{/etc/passwd} $x$ %\x1b") == (
        r"\textbackslash{}input\{/etc/passwd\} \$x\$ \%\textbackslash{}x1b"
    )


# --- YAML -----------------------------------------------------------------------------------------------------------

BOMBS = {
    "python objects": b"name: !!python/object/apply:os.system [touch owned]",
    "python names": b"name: !!python/name:os.system",
    "a python module": b"name: !!python/module:evil",
    "a python object as a key": b"? !!python/object/apply:os.system [touch owned]\n: 1",
    "a new python object": b"name: !!python/object/new:subprocess.Popen [[touch, owned]]",
    "an alias bomb": b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))),
    "a merge bomb": b"a: &a {x: 1}\n"
    + b"".join(b"%c: &%c {<<: [%s]}\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))),
    "an alias in itself": b"a: &a [*a, *a]",
    "deep nesting": b"a: " + b"[" * 100_000,
    "deep nesting in blocks": b"".join(b" " * depth + b"a:\n" for depth in range(1000)),
    "a huge scalar": b"name: " + b"x" * 990_000,
    "50 megabytes": b"# " + b"x" * (50 << 20),
    "NUL bytes": b"name: a\0b",
    "no UTF-8": b"name: \xff\xfe",
    "UTF-16": "name: x".encode("utf-16"),
    "duplicate keys": b"seed: 1\nseed: 2",
    "duplicate keys, spelt otherwise": b'seed: 1\n"s\\x65ed": 2',
    "an include": b"name: !include /etc/passwd",
    "the environment": b"name: !ENV ${HOME}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_that_is_a_bomb(name, owned, capfd):
    Path("mail.yaml").write_bytes(BOMBS[name])
    begun = time.monotonic()
    with at_most(megabytes=5) if name == "50 megabytes" else contextlib.nullcontext():  # which slows all else down
        for command in ("run", "compare"):
            assert call(command, "mail.yaml") == 2
    said = harmless(capfd)
    assert time.monotonic() - begun < 30
    assert all(len(line) < 2000 for line in said.splitlines())
    assert "Traceback" not in said
    assert not owned.exists()


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/stdin", "."])
def test_what_has_no_end_is_not_read(name, owned, capfd):
    assert call("run", name) == 2
    Path("mail.yaml").write_text(f"base: {name}\n")
    assert call("run", "mail.yaml") == 2
    harmless(capfd)


def test_a_chain_of_files_is_bounded(owned, capfd):
    for number in range(2000):
        Path(f"{number}.yaml").write_text(f"base: {number + 1}.yaml\n")
    assert call("run", "0.yaml") == 2
    assert (
        harmless(capfd) == "fooldeap: 19.yaml:1:7: base: is the base of 20 files, one of the other; put some into one\n"
    )


# --- Folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../up", "/up", "..", ".", "a/../../up", "a\\b", "a\0b", ".hidden", "-rf", ""])
def test_names_that_climb_out_are_refused(owned, tmp_path, capfd, name):
    Path("mail").mkdir()
    for text in (
        f"name: {quoted(name)}\n{VARIED}",
        f"vary: {{selection: {{{quoted(name)}: random, b: tournament}}}}\n",
    ):
        Path("mail/study.yaml").write_text(text)
        assert call("compare", "--resume", "mail") == 2
    Path("mail/config.yaml").write_text(f"name: {quoted(name)}\n")
    assert call("run", "--resume", "mail") == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.yaml", "mail", "study.yaml"]
    harmless(capfd)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small study, finished."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    source = {**TINY, "plugins": [str(KIT)], "targets": [1], "seeds": 2, "budget": 100, "goal": {"confidence": 0.5}}
    fooldeap.compare({**source, "vary": {"selection": ["random", "tournament"]}}, out=folder, quiet=True)
    return folder


DEEP = "[" * 100_000
ODD_JSON = [
    "",
    "null",
    "[]",
    "1",
    "{}",
    '{"rows": {}}',
    DEEP,
    '{"rows": 1e999}',
    '"' + "x" * 10,
    "\0",
    "\xff" * 9,
    "NaN",
]


@pytest.mark.parametrize("name", ["summary.json", "runs.csv", "environment.json", "record"])
@pytest.mark.parametrize("text", [*ODD_JSON, 'a,b\n"' + "x" * 200_000, "variant,target,seed\n../../x,1,1\n"])
def test_odd_content_in_a_folder_is_a_line_or_nothing(finished, tmp_path, capfd, name, text):

    folder = shutil.copytree(finished, tmp_path / "study")
    record = sorted(folder.glob("variants/*/records/*.json"))[0]
    (record if name == "record" else folder / name).write_text(text, encoding="latin-1")
    code = call("compare", "--resume", folder, "--quiet")
    said = harmless(capfd)
    assert code in (0, 2), said
    assert code == 0 or "damaged" in said, said
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_record_that_names_files_elsewhere(finished, tmp_path, capfd):

    from PIL import Image

    folder = shutil.copytree(finished, tmp_path / "study")
    Image.new("L", (8, 8)).save(tmp_path / "1.png")
    record = sorted(folder.glob("variants/*/records/*.json"))[0]
    kept = json.loads(record.read_text())
    kept["runs"][0] |= {"variant": "../..", "image": "../../../1.png"}
    record.write_text(json.dumps(kept))
    assert call("compare", "--resume", folder, "--quiet") == 2
    assert "is damaged" in harmless(capfd)


def test_a_finished_run_with_odd_content_is_left_alone(owned, tmp_path, capfd):
    fooldeap.run({**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30}}, out="run", quiet=True)
    for text in ODD_JSON:
        Path("run/result.json").write_text(text, encoding="latin-1")
        assert call("run", "--resume", "run") in (0, 2)
    Path("run/result.json").unlink()
    for text in ODD_JSON:
        Path("run/calibration.json").write_text(text, encoding="latin-1")
        assert call("run", "--resume", "run", "--quiet") in (0, 2)
        Path("run/result.json").unlink(missing_ok=True)
    harmless(capfd)


def record(kind, body):
    """A record of a journal, its checksum right."""
    payload = kind + body
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


ANSWER = struct.Struct("<16sII")
NONSENSE = {
    "a header that is a list": [record(b"H", b"[]")],
    "a header that is deep": [record(b"H", DEEP.encode())],
    "a header that is no text": [record(b"H", b"\xff")],
    "a header of another kind": [record(b"Z", b"{}")],
    "an answer cut short": [record(b"A", b"x")],
    "an answer of very many rows": [record(b"A", ANSWER.pack(bytes(16), 2**32 - 1, 2**32 - 1))],
    "an answer of no rows": [record(b"A", ANSWER.pack(bytes(16), 0, 0))],
    "an answer of odd bytes": [record(b"A", ANSWER.pack(bytes(16), 1, 1) + b"xyz")],
    "an answer to other images": [record(b"A", ANSWER.pack(bytes(16), 1, 4) + bytes(16))],
    "an end that is no text": [record(b"E", b"\xff")],
    "an end with commands": [record(b"E", ESCAPE.encode())],
    "an unknown kind": [record(b"Z", b"")],
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_journal_of_nonsense(name, owned, tmp_path, capfd):
    data = {**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30, "confidence": None}}
    with Prepared(config.load(data)) as prepared:
        folder = RunFolder.create(prepared.experiment, tmp_path / "mail")
        journal = folder.journal(prepared.runs[0])
        prepared.crew.work.journal(prepared.runs[0], journal).close()
    header = journal.read_bytes()
    before = {path.name for path in tmp_path.iterdir()}
    for records in ([*NONSENSE[name]], [header, *NONSENSE[name]]):
        journal.write_bytes(b"".join(records))
        code = call("run", "--resume", folder.path, "--quiet")
        said = harmless(capfd)
        # An end where the run itself does not ask for one is passed over.
        assert code in (1, 2) or (records[0] == header and name.startswith("an end ") and code == 0), said
        assert "journal" in said
        shutil.rmtree(folder.path / "images", ignore_errors=True)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_folder_to_verify_that_came_by_mail(finished, capfd):
    assert call("verify", finished, "--no-plugins") == 2
    assert "which --no-plugins refuses" in capfd.readouterr().err
    assert call("verify", finished, "--sample", "1") == 0
    assert f"fooldeap: runs the plugins in {KIT}, which {finished}/study.yaml names\n" in capfd.readouterr().err
