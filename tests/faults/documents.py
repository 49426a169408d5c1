"""Strategies for YAML documents of all kinds: mostly right, with mistakes of every sort. See `test_generated_yaml`."""

import json
import re

from helpers.experiments import KIT, ROOT
from helpers.training import Stripes
from hypothesis import strategies as st

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.experiment import CHOICES
from fooldeap.plugin import KINDS
from fooldeap.retrain.settings import Chain
from fooldeap.study import definition
from fooldeap.training.network import LAYERS
from fooldeap.training.settings import Training

GIVEN = (str(KIT), Stripes)  # plugins that are there without being named

# --- Values ---------------------------------------------------------------------------------------------------------

# As YAML spells them, since what is special about a value is often how it is written.
LONG_INTEGERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "-", "+"]),
    st.sampled_from("123456789"),
    st.sampled_from([9, 15, 17, 18, 19, 38, 77, 307, 308, 309, 399]).map("7".__mul__),
)
BOUNDARIES = st.sampled_from(
    [sign * 2**power + each for power in (31, 32, 53, 63, 64) for sign in (1, -1) for each in (-1, 0, 1)]
)
ODD_NUMBERS = st.sampled_from(
    [
        *(
            ".inf",
            "-.inf",
            ".nan",
            ".NaN",
            "1e400",
            "-1e400",
            "1e-400",
            "-0.0",
            "1e308",
            "-1.8e308",
            "5e-324",
            "9.3e18",
        ),
        *("0o777", "0b1", "1_000", "010", "1e3", "+1", "1:30", "190:20:30", "0x" + "f" * 60, "0x" + "f" * 5000),
        *(
            "0o" + "7" * 6000,
            "9" * 400,
            "-" + "9" * 400,
            "9" * 5000,
            "0." + "9" * 400,
            "9" * 400 + ".5",
            "1e" + "9" * 400,
        ),
        *("'1'", '"0x10"', "'1e5'", "'.inf'", "'9223372036854775808'", "'١٢'", "1e", "0x", "1.2.3", "--1", "1 000"),
    ]
)
ODD_VALUES = st.sampled_from(
    [
        *("-1", "0", "1", "2", "3.5", "null", "~", "true", "false", "yes", "2001-01-01", "12:30:45", "=", "<<", "''"),
        *("all", "[]", "{}", "[[[]]]", "[" * 30 + "]" * 30, "{a: " * 30 + "1" + "}" * 30, "[" * 45 + "]" * 45),
        *(
            "[" + "1, " * 2000 + "1]",
            "[" + "x, " * 500 + "x]",
            "{" + ", ".join(f"k{each}: 1" for each in range(300)) + "}",
        ),
        *("*a", "&a 1", "&a [*a]", "[&a [1, 1], *a, *a]", "{a: &b [*b]}", "!x 1", "!!int x", "!!int '3'", "!!float x"),
        *("!!bool x", "!!null x", "!!binary aGk=", "!!set {a}", "!!str 3", "!!timestamp x", "!<!> x", "! x"),
        *("!!python/object/apply:os.system [touch owned]", "!!python/name:os.system"),
        *(r'"\UFFFFFFFF"', r'"\U00110000"', "%YAML 1.1", "%YAML 99999999999.1", "%TAG ! tag:x,2000:"),
        *(r'"\ud800"', r'"\0"', r'"a\0/b"', r'"\e[2J\e[31m"', r'"\x9b1m"', r'"a\nb"', r'"\u202e"', r'"\u2028"'),
        *(r'"\U0010ffff"', "'[bold]x[/bold]'", "'%s{0}{}'", "../up", "/", "/dev/zero", "/dev/stdin", "a/b", "'a:b'"),
        *("~root", "x" * 5000, "/" + "x" * 300, "{? [a] : b}", "{1: 2}", "{null: 1}", "{true: 1}", "{? {a: b} : c}"),
        *("{name: }", "{name: [x]}", "{name: {}}", "{name: null}", "[1, [2, [3]]]", "[.nan]", "{weight: -1}"),
        *("{schedule: linear}", "{schedule: x}", "{schedule: constant, value: 1e400}"),
    ]
)
ODD = st.one_of(ODD_VALUES, ODD_NUMBERS, LONG_INTEGERS, BOUNDARIES)
NUMBERS = st.one_of(
    st.integers(-2, 1000), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1)
)


def flow(value):
    """A value as YAML in flow style: what is text is YAML already."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def mostly(good, odd=ODD):
    """One strategy, and once in thirty times the other."""
    return st.integers(0, 29).flatmap(lambda die: odd if die == 17 else good)


def count(most):
    """Integers of a usual size."""
    return mostly(st.integers(1, most))


def some_of(keys, most):
    """Mappings of a few of many keys: of all at once hardly any would be right."""
    names = st.lists(st.sampled_from(sorted(keys)), max_size=most, unique=True) if keys else st.just([])
    return names.flatmap(lambda names: st.fixed_dictionaries({name: keys[name] for name in names}))


def lines_of(data, extra=()):
    lines = [f"{key}: {flow(value)}" for key, value in data.items()]
    return "\n".join([*lines, *extra]) + "\n"


# --- Plugins --------------------------------------------------------------------------------------------------------

KNOWN = registry.load(GIVEN)
STOCK = registry.load()
PLUGINS = {kind: STOCK.all(kind) for kind in KINDS}
NAMES = {kind: st.sampled_from([plugin.name for plugin in found]) for kind, found in PLUGINS.items()}
ANY_NAME = st.one_of(*NAMES.values())


def of_schema(schema):
    """Values that a parameter may have, or nearly."""
    if "anyOf" in schema:
        return st.one_of([of_schema(option) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(json.dumps(schema["const"]))
    if "enum" in schema:
        return st.sampled_from([json.dumps(each) for each in schema["enum"]])
    kinds = {
        "integer": st.integers(0, 100) | LONG_INTEGERS,
        "number": st.floats(0, 1) | NUMBERS | schedules(),
        "boolean": st.booleans(),
        "string": st.sampled_from(["x", "mnist_cnn", "nowhere.keras", "fifo", "/dev/zero", "names"]),
        "array": st.lists(st.integers(0, 255), max_size=3),
    }
    return kinds.get(schema.get("type"), ODD)


def schedules():
    keys = {
        "constant": ["value"],
        "linear": ["start", "end", "over"],
        "exponential": ["start", "end", "over"],
        "halving": ["start", "every", "least"],
    }
    whole = st.integers(1, 10_000) | LONG_INTEGERS | BOUNDARIES

    def with_values(name):
        values = {key: mostly(whole if key in ("over", "every") else st.floats(0, 1) | NUMBERS) for key in keys[name]}
        return st.fixed_dictionaries({"schedule": st.just(name), **values})

    odd = st.dictionaries(
        st.sampled_from(["from", "to", "start", "end", "factor", "every"]), mostly(NUMBERS), max_size=4
    )
    return mostly(
        st.sampled_from(sorted(keys)).flatmap(with_values),
        st.builds(
            lambda name, more: {"schedule": name, **more}, st.sampled_from(["linear", "cosine", "step", "x"]), odd
        ),
    )


def choices(kind, plugins=None):
    """Choices of a plugin: its name, or with parameters."""

    def with_parameters(plugin):
        parameters = {name: mostly(of_schema(each.schema)) for name, each in plugin.parameters.items()}
        return some_of(parameters, 3).map(lambda values: {"name": plugin.name, **values})

    found = PLUGINS[kind] if plugins is None else plugins
    names = st.sampled_from([plugin.name for plugin in found])
    whole = st.sampled_from(found).flatmap(with_parameters)
    return st.one_of(names, whole, mostly(whole, st.dictionaries(mostly(st.just("name"), KEYS), ANY_NAME, max_size=2)))


KEYS = st.sampled_from(
    [
        *(*config.load({}).data(), *definition.KEYS, *keys_of(Chain), *keys_of(Training)),
        *("training", "budget", "classes", "images", "base", "stop", "mutation.rate", "name ", "NAME", "réporters"),
        *('"\\e[31m"', '"a\\nb"', "1", "null", "? a", "x" * 300, "<<", "'a.b.c'", '"\\ud800"', "selection.size"),
    ]
)

# --- Experiments and studies ----------------------------------------------------------------------------------------

STOPS = st.fixed_dictionaries(
    {},
    optional={
        "confidence": mostly(st.floats(0.01, 0.99)),
        "score": mostly(NUMBERS),
        "evaluations": count(10**6),
        "generations": mostly(st.integers(0, 10**6) | LONG_INTEGERS | BOUNDARIES),
        "seconds": count(100),
        "stagnation": count(100),
        "stop_at_goal": mostly(st.booleans()),
    },
)
BASES = ["generated.yaml", "nowhere.yaml", "/dev/zero", "fifo", "..", "''", '"\\0"', '"a\\0/b"', "x" * 5000]
OF_NUMPY = [KNOWN.get("classifier", name) for name in ("tiny", "steep", "callable")]
SEED = mostly(st.integers(0, 2**63 - 1) | st.integers(0, 100))
TARGETS = mostly(st.just("all") | st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
EXPERIMENT = {
    "name": mostly(st.sampled_from(["x", "a-b", "3"])),
    "seed": SEED,
    "seeds": count(5),
    "targets": TARGETS,
    "stop": mostly(STOPS),
    "concurrent_runs": count(64),
    "on_error": mostly(st.sampled_from(["stop", "skip"])),
    "report": mostly(st.booleans()),
    "keep_journals": mostly(st.booleans()),
    "keep": count(5),
    "reporters": mostly(st.lists(choices("reporter"), max_size=3)),
    "plugins": mostly(st.just([]), st.lists(ODD, max_size=2)),
    **{kind: mostly(choices(kind)) for kind in CHOICES},
    "classifier": mostly(choices("classifier", [*OF_NUMPY, *PLUGINS["classifier"]])),
    "dataset": mostly(st.just("null") | choices("dataset")),
    "base": mostly(st.sampled_from(["../mnist.yaml", "selection.yaml"]), st.sampled_from(BASES)),
}
VARIED = ("selection", "crossover", "mutation", "fitness", "algorithm")
OPTIONS = mostly(st.sampled_from(VARIED), st.sampled_from([*CHOICES, "stop", "seed", "x"])).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(NAMES.get(kind, ODD), min_size=1 + (kind in VARIED), max_size=4, unique=True)
        | st.dictionaries(mostly(st.sampled_from("abcd")), choices(kind) if kind in KINDS else ODD, min_size=2),
    )
)
STUDY = {
    "goal": mostly(
        st.builds(lambda value: {"confidence": value}, st.floats(0.01, 0.99)),
        st.fixed_dictionaries({}, optional={"confidence": NUMBERS, "score": NUMBERS | ODD}),
    ),
    "budget": mostly(st.integers(1, 10**6) | LONG_INTEGERS),
    "candidate": ANY_NAME,
    "factors": mostly(
        st.dictionaries(st.sampled_from("xy"), st.dictionaries(st.sampled_from("abcd"), st.sampled_from("lmn")))
    ),
    "variants": mostly(
        st.dictionaries(
            mostly(st.sampled_from("abc")),
            some_of({key: EXPERIMENT[key] for key in (*VARIED, "stop", "genome")}, 2)
            | st.dictionaries(KEYS, ODD, max_size=2),
            max_size=3,
        )
    ),
}
EXTRA = mostly(st.just([]), st.lists(st.builds("{}: {}".format, KEYS, ODD), max_size=2))
VARY = st.fixed_dictionaries({"vary": mostly(st.lists(OPTIONS, min_size=1, max_size=3).map(dict))})
EXPERIMENTS = st.builds(lines_of, some_of(EXPERIMENT, 6), EXTRA)
STUDIES = st.builds(
    lambda one, two, three, extra: lines_of({**one, **two, **three}, extra),
    some_of(EXPERIMENT, 4),
    st.just({}) | VARY | VARY,
    some_of(STUDY, 3),
    EXTRA,
)

# --- Audits ---------------------------------------------------------------------------------------------------------

CALLABLE = {
    "function": mostly(st.just("judge.py:judge"), st.sampled_from(["judge.py:", "fifo.py:x", "os:system", "x", "''"])),
    "shape": mostly(st.just([8, 8, 1]), st.lists(st.integers(-1, 9) | LONG_INTEGERS, max_size=4)),
    "classes": mostly(st.just(4), st.integers(-1, 9) | LONG_INTEGERS),
    "outputs": mostly(st.sampled_from(["auto", "logits", "probabilities"])),
    "class_names": mostly(st.just("null"), st.sampled_from(["/dev/zero", "fifo", "names", "nowhere", "."]) | ODD),
}
CALLED = st.fixed_dictionaries({"name": st.just("callable"), **CALLABLE}).map(
    lambda given: {key: value for key, value in given.items() if value != "null"}
)
AUDIT = {
    "name": EXPERIMENT["name"],
    "seed": SEED,
    "plugins": EXPERIMENT["plugins"],
    "budget": count(10**5),
    "classes": mostly(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.lists(LONG_INTEGERS | ODD, max_size=3)),
    "images": mostly(
        st.just("null"), st.sampled_from(["/dev/zero", "fifo", "nowhere", "pictures", "stripes", "idx"]) | ODD
    ),
}
AUDITS = st.builds(
    lambda classifier, others, extra: lines_of({"classifier": classifier, **others}, extra),
    mostly(st.one_of(CALLED, CALLED, st.just("tiny"), st.just("steep")), choices("classifier", OF_NUMPY)),
    some_of(AUDIT, 4),
    EXTRA,
)

# --- Training files -------------------------------------------------------------------------------------------------

SIZES = mostly(st.integers(1, 5) | st.lists(st.integers(1, 4), min_size=2, max_size=2), LONG_INTEGERS | ODD)
ACTIVATIONS = mostly(st.sampled_from(["relu", "softmax", "tanh", "linear", "elu"]))
LAYER_OPTIONS = {
    **dict.fromkeys(("kernel_size", "pool_size", "strides", "dilation_rate", "size", "padding", "cropping"), SIZES),
    **dict.fromkeys(
        ("filters", "units", "groups", "depth_multiplier"), mostly(st.integers(1, 20), LONG_INTEGERS | ODD)
    ),
    **dict.fromkeys(
        ("rate", "stddev", "epsilon", "momentum", "negative_slope", "alpha", "max_value"), mostly(st.floats(0, 1))
    ),
    "padding": mostly(st.sampled_from(["same", "valid"]) | SIZES),
    "activation": ACTIVATIONS,
    "axis": mostly(st.integers(-4, 4)),
    "target_shape": mostly(st.lists(st.integers(-1, 64), max_size=4)),
    "dtype": st.sampled_from(
        ["float32", "float16", "float64", "bfloat16", "int8", "bool", "string", "complex64", "float8_e4m3fn", "x"]
    ),
    "seed": mostly(st.integers(0, 100)),
    "use_bias": st.booleans(),
    "trainable": st.booleans(),
    "name": mostly(st.sampled_from(["a", "b/c", "''", "image"])),
    "data_format": st.sampled_from(["channels_last", "channels_first", "x"]),
    "interpolation": st.sampled_from(["nearest", "bilinear", "x"]),
    **dict.fromkeys(
        ("kernel_initializer", "bias_initializer", "depthwise_initializer", "gamma_initializer"),
        st.sampled_from(["zeros", "identity", "orthogonal", "he_normal", "x"]),
    ),
    **dict.fromkeys(("kernel_regularizer", "activity_regularizer"), st.sampled_from(["l2", "x"])),
    "kernel_constraint": st.sampled_from(["max_norm", "non_neg", "x"]),
}
TAKEN = {  # options that a layer has, the first of which it needs
    "Activation": ["activation"],
    "AveragePooling2D": ["pool_size", "strides", "padding", "data_format"],
    "BatchNormalization": ["axis", "momentum", "epsilon"],
    "Conv2D": ["filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation", "use_bias"],
    "Cropping2D": ["cropping"],
    "Dense": [
        "units",
        "activation",
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
        "bias_initializer",
    ],
    "DepthwiseConv2D": [
        "kernel_size",
        "strides",
        "padding",
        "depth_multiplier",
        "dilation_rate",
        "depthwise_initializer",
    ],
    "Dropout": ["rate", "seed"],
    "GaussianNoise": ["stddev", "seed"],
    "GroupNormalization": ["groups", "axis", "gamma_initializer"],
    "LayerNormalization": ["axis", "epsilon"],
    "LeakyReLU": ["negative_slope"],
    "MaxPooling2D": ["pool_size", "strides", "padding"],
    "ReLU": ["max_value"],
    "Reshape": ["target_shape"],
    "SeparableConv2D": ["filters", "kernel_size", "padding", "depth_multiplier"],
    "Softmax": ["axis"],
    "SpatialDropout2D": ["rate"],
    "UpSampling2D": ["size", "interpolation"],
    "ZeroPadding2D": ["padding"],
}
NEEDED = {"Conv2D": 2, "SeparableConv2D": 2, "BatchNormalization": 0, "UpSampling2D": 0, "MaxPooling2D": 0}


def layer(kind):
    """A layer: its needed options and perhaps one or two others."""
    taken = TAKEN.get(kind, [])
    needed = taken[: NEEDED.get(kind, 1)]
    others = st.lists(st.sampled_from([*taken, "dtype", "trainable", *LAYER_OPTIONS]), max_size=1, unique=True)
    given = others.flatmap(
        lambda more: st.fixed_dictionaries({name: LAYER_OPTIONS[name] for name in dict.fromkeys([*needed, *more])})
    )
    return given.map(lambda options: {kind: options} if options else kind)


LAYER = mostly(
    st.sampled_from(LAYERS).flatmap(layer),
    ODD | st.dictionaries(ANY_NAME, st.dictionaries(KEYS, ODD, max_size=2), max_size=2),
)
LAST = mostly(st.just({"Dense": {"units": 2, "activation": "softmax"}}), LAYER)
LAYER_LISTS = st.builds(
    lambda before, flat, last: [*before, *flat, last],
    st.lists(LAYER, max_size=3),
    mostly(st.just(["Flatten"]), st.just([])),
    LAST,
)
TRAINING = {
    "name": mostly(st.sampled_from(["x", "a-b", "3"])),
    "seed": mostly(st.integers(0, 10**9)),
    "dataset": mostly(st.just("stripes"), choices("dataset")),
    "input_range": mostly(st.sampled_from(["[0, 1]", "[-1, 1]", "[0, 255]"])),
    "epochs": count(100),
    "batch_size": mostly(st.integers(1, 1000), LONG_INTEGERS),
    "learning_rate": mostly(st.floats(1e-6, 1)),
    "validation": mostly(st.integers(1, 200), LONG_INTEGERS),
    "shift": mostly(st.integers(0, 7), LONG_INTEGERS),
    "plugins": EXPERIMENT["plugins"],
}
OF_STRIPES = {"name": "x", "dataset": "stripes", "validation": 64}
TRAININGS = st.builds(
    lambda layers, others, extra: lines_of({**OF_STRIPES, **others, "layers": layers}, extra),
    mostly(LAYER_LISTS),
    some_of(TRAINING, 3),
    EXTRA,
)

# --- Retrainings ----------------------------------------------------------------------------------------------------

RETRAINING = {
    "networks": mostly(st.integers(2, 20), LONG_INTEGERS),
    "first": count(100),
    "later": count(100),
    "images": mostly(st.integers(100, 300), LONG_INTEGERS),
    "smoke": mostly(st.booleans()),
    **{
        key: EXPERIMENT[key]
        for key in ("seed", "stop", "concurrent_runs", "algorithm", "selection", "mutation", "genome")
    },
    "targets": mostly(st.just("all") | st.just([0, 1]) | st.just(1), TARGETS),
    "name": EXPERIMENT["name"],
    "base": EXPERIMENT["base"],
}
DESCRIBED = st.builds(
    lambda layers, others: {
        **OF_STRIPES,
        **{key: value for key, value in others.items() if key != "plugins"},
        "layers": layers,
    },
    mostly(LAYER_LISTS),
    some_of(TRAINING, 2),
)
RETRAININGS = st.builds(
    lambda training, others, extra: lines_of({"training": training, **others}, extra),
    mostly(DESCRIBED | st.just("training.yaml"), st.sampled_from(BASES) | ODD),
    some_of(RETRAINING, 4),
    EXTRA,
)

# --- Shipped files, changed -----------------------------------------------------------------------------------------

CHARACTERS = mostly(
    st.sampled_from("abz0123456789 :-,.[]{}\n"),
    st.sampled_from([*"&*!|>'\"#%@`\t\\é\x07\x1b\x85\ufeff\u2028\u202e", "\ud800", "\0"]),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["digit", "number", "value", "delete", "insert", "swap", "out", "twice"]),
        st.floats(0, 1),
        CHARACTERS,
        ODD,
    ),
    min_size=1,
    max_size=3,
)


def changed(text, changes):
    """A text with some of its characters, numbers, values or lines changed."""
    for change, share, character, odd in changes:
        at, lines = int(share * len(text)), text.split("\n")
        line = int(share * (len(lines) - 1))
        text = {
            "delete": text[:at] + text[at + 1 :],
            "insert": text[:at] + character + text[at:],
            "swap": text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
            "digit": text[:at] + re.sub(r"\d", str(at % 10), text[at:], count=1),
            "number": text[:at] + re.sub(r"\d+", lambda _: str(odd), text[at:], count=1),  # noqa: B023
            "value": text[:at] + re.sub(r": [^:\n]+", lambda _: f": {odd}", text[at:], count=1),  # noqa: B023
            "out": "\n".join(lines[:line] + lines[line + 1 :]),
            "twice": "\n".join(lines[: line + 1] + lines[line:]),
        }[change]
    return text


def _shipped(pattern):
    return [path.read_text() for path in sorted((ROOT / "configs").glob(pattern))]


AN_AUDIT = """\
name: mine
seed: 3
classifier: {name: callable, function: judge.py:judge, shape: [8, 8, 1], classes: 4, outputs: logits}
budget: 500
classes: [0, 2, 3]
"""
A_RETRAINING = """\
name: chain
training:
  name: net
  dataset: stripes
  layers:
    - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
    - Flatten
    - Dense: {units: 2, activation: softmax}
  validation: 64
  shift: 1
networks: 3
first: 4
later: 2
stop: {confidence: 0.99, evaluations: 500}
algorithm: {name: generational, population: 20}
"""
A_TRAINING = """\
name: net
seed: 3
dataset: stripes
layers:
  - Conv2D: {filters: 4, kernel_size: [3, 3], strides: 1, padding: same, activation: relu}
  - MaxPooling2D: {pool_size: 2}
  - BatchNormalization
  - ZeroPadding2D: {padding: 1}
  - UpSampling2D: {size: 2}
  - Flatten
  - Dropout: {rate: 0.25}
  - Dense: {units: 2, activation: softmax}
epochs: 3
batch_size: 32
learning_rate: 0.01
validation: 64
shift: 1
"""
OF_TINY = "classifier: tiny\ntargets: [0, 1]\n"
SHIPPED = {
    "experiment": [*_shipped("*.yaml"), *(text + OF_TINY for text in _shipped("evolution_strategy.yaml"))],
    "study": _shipped("studies/*.yaml"),
    "audit": [AN_AUDIT],
    "retraining": [A_RETRAINING, *_shipped("paper/retrain.yaml")],
    "training": [A_TRAINING, *_shipped("classifiers/*.yaml")],
}
OF_KEYS = {
    "experiment": EXPERIMENTS,
    "study": STUDIES,
    "audit": AUDITS,
    "retraining": RETRAININGS,
    "training": TRAININGS,
}

# --- Text that looks like YAML --------------------------------------------------------------------------------------

PIECES = st.lists(
    st.one_of(
        KEYS, ODD.map(str), ANY_NAME, CHARACTERS, st.sampled_from([": ", "- ", "\n", "\n  ", "? ", "--- ", "..."])
    ),
    max_size=20,
)
