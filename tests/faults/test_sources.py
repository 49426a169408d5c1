"""Our own sources: nothing in them unpickles or executes what it reads."""

import ast
import re

import pytest
from helpers.experiments import ROOT

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
    "plugins/executor/_pool.py": "writes the work for its own workers",
    "plugins/executor/_calls.py": "messages between our own processes, by sockets that no other process can open",
    "plugins/executor/_scoop.py": "messages between our own processes, by sockets that no other process can open",
    "plugins/executor/dask.py": "writes the work for the workers of a cluster",
    "plugins/executor/_dask_client.py": "Dask's own traffic, between processes that trust each other",
    "plugins/executor/_dask_tasks.py": "Dask's own traffic, between processes that trust each other",
    "fooldeap/testing/contract.py": "writes the state of numpy's random numbers, to compare it",
    "fooldeap/testing/batches.py": "copies a batch that a plugin on trial made in this process",
    "fooldeap/testing/every.py": "copies a plugin on trial, as workers will",
}
# Where PyTorch may be used, and of what of it. Its only loader of pickles is told to load weights only.
TORCH = {
    "plugins/classifier/_torch_file.py": ["_compiled(torch, parts).eval", "built.eval", "model.eval", "torch"],
    "plugins/classifier/torch.py": ["copy.deepcopy(model, _computed(model)).eval"],
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
    if of == "torch.load" and options.get("weights_only") != "True":
        yield f"{of} without weights_only"
    if options.get("shell", "False") != "False":
        yield f"{of} with a shell"
    if name == "load_model" and options.get("safe_mode") != "not trusted":
        yield f"{of} without safe_mode"
    if name == "YAML" and options.get("typ") != "'safe'":
        yield f"{of} of another type"


def test_sources_do_not_unpickle_or_execute_input():
    found = {}
    for folder in ("fooldeap", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            said = sorted(set(dangers(path.read_text(encoding="utf-8"))))
            if said:
                found[path.relative_to(ROOT).as_posix()] = said
    assert found == {path: ["pickle"] for path in ALLOWED} | TORCH


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from pickle import loads", "import torch.hub", "eval('1')", "exec('1')", "os.system('x')"),
        *("np.load(p)", "np.load(p, allow_pickle=True)", "subprocess.run(x, shell=True)", "yaml.YAML(typ='unsafe')"),
        *("torch.load(p)", "torch.load(p, weights_only=False)"),
        *("YAML()", "keras.models.load_model(p)", "builtins.__import__('x')", "yaml.unsafe_load(x)"),
    ],
)
def test_the_scan_finds_dangerous_calls(source):
    assert list(dangers(source))


# --- Where files are read -------------------------------------------------------------------------------------------

READS = {"json.load", "json.loads", "csv.reader", "csv.DictReader", "Image.open", "YAML"}
READS |= {"np.load", "np.fromfile", "np.loadtxt", "np.genfromtxt", "open"}
# What reads without `fooldeap.storage.inputs`: the reason.
UNBOUNDED = {
    "fooldeap/storage/inputs.py": "the reader of all files",
    "fooldeap/storage/npz.py": "the reader of arrays, from an open file",
    "fooldeap/configuration/reading.py": "the reader of YAML, from text",
    "fooldeap/configuration/writing.py": "writes YAML",
    "fooldeap/training/card.py": "writes YAML, and reads what Keras just wrote",
    "fooldeap/images/pictures.py": "decodes what it just encoded",
    "fooldeap/configuration/config.py": "a file of the package",
    "fooldeap/audit/battery.py": "files of the package",
    "fooldeap/scaffolding/plugin_file.py": "files of the package",
    "fooldeap/scaffolding/experiment_folder.py": "files of the package",
    "fooldeap/report/html.py": "files of the package",
    "plugins/dataset/mnist.py": "a file of the package",
    "fooldeap/runs/worker_task.py": "traffic between our own processes",
}
MODELS = "plugins/classifier/"  # model files have readers of their own, see test_hostile_models


def reads(source):
    """Yield the calls of a source that read files, or what is in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            of = ast.unparse(node.func)
            method = re.fullmatch(r"(?!inputs\.).*\.(read_text|read_bytes)", of)
            if of in READS or method:
                yield of


def test_files_are_read_by_one_reader():
    found = set()
    for folder in ("fooldeap", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(MODELS) and any(reads(path.read_text(encoding="utf-8"))):
                found.add(name)
    assert found == set(UNBOUNDED)


@pytest.mark.parametrize(
    "source",
    [
        *("p.read_text()", "Path(x).read_bytes()", "json.loads(x)", "csv.DictReader(f)", "Image.open(f)"),
        *("YAML(typ='safe')", "np.load(f)", "open(p)"),
    ],
)
def test_the_scan_finds_reading_calls(source):
    assert list(reads(source))


def test_yaml_is_loaded_in_one_place():
    """`YAML` is used to write elsewhere, and nowhere to load."""
    loads = [
        path.relative_to(ROOT).as_posix()
        for folder in ("fooldeap", "plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if any(word in path.read_text(encoding="utf-8") for word in ("yaml.compose(", "yaml.load(", ").load(text"))
    ]
    assert loads == ["fooldeap/configuration/reading.py"]
