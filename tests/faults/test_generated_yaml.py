"""Generated YAML, valid and broken, through all that ``fooldeap run`` and ``fooldeap compare`` do before they begin.

Each document is loaded, and then what was loaded says the same again, or is refused in lines that can be shown.
`make faults` makes 5 000 of them, `make test` some.
"""

import contextlib
import json
import os
import re
import shutil
import signal

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.configuration.experiment import CHOICES
from fooldeap.errors import InputError
from fooldeap.plugin import KINDS
from fooldeap.runs.folder import as_yaml
from fooldeap.study import definition

EVERY = "FOOLDEAP_FAULTS" in os.environ
DOCUMENTS = 5_000 if EVERY else 300
LONGEST_LINE = 2_000  # characters
LONGEST_TIME = 20  # seconds for one document, on a busy machine
CONFIGS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if "classifiers" not in path.parts]
LOADERS = {"run": config.load, "compare": definition.load}

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a clock that interrupts")


def generated(share, **given_):
    """A test over a share of all documents, the same ones each time."""
    checks = settings(
        max_examples=int(DOCUMENTS * share),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: checks(given(**given_)(test))


# --- What may come of a document ------------------------------------------------------------------------------------


def check(text, folder):
    """Load a document as an experiment and as a study."""
    path = folder / "generated.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for load in LOADERS.values():
        with within(LONGEST_TIME):
            try:
                loaded = load(path)
            except InputError as error:
                check_message(str(error))
            else:
                check_again(load, loaded.data(), folder)


def check_message(message):
    for line in message.split("\n"):
        assert line
        assert line.isprintable()
        assert "Traceback" not in line
        assert len(line) <= LONGEST_LINE


def check_again(load, data, folder):
    """What was loaded says the same when it is loaded again: as data, and as the file in a run folder."""
    assert load(data).data() == data
    if not EVERY:
        return
    path = folder / "resolved.yaml"
    path.write_text(as_yaml(data), encoding="utf-8")
    assert load(path).data() == data


@contextlib.contextmanager
def within(seconds):
    def late(*_):
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    shutil.copytree(ROOT / "configs", folder / "configs")  # which the files that are changed build on
    with contextlib.chdir(folder):
        yield folder / "configs/studies"


# --- Documents of known keys, plugins and values, with mistakes -----------------------------------------------------

# As YAML spells them, since what is special about a value is often how it is written.
ODD = st.sampled_from(
    [
        *(".inf", "-.inf", ".nan", "1e400", "-1e400", "1e-400", "-0.0", "0o777", "0b1", "1_000", "010", "1e3", "+1"),
        *("0x" + "f" * 60, "0x" + "f" * 5000, "0o" + "7" * 6000, "9" * 400, "9" * 5000, "-1", "0", "1", "2", "3.5"),
        *("null", "~", "true", "false", "yes", "2001-01-01", "12:30:45", "=", "<<", "''", "all", "[]", "{}", "[[[]]]"),
        *(
            "*a",
            "&a 1",
            "!x 1",
            "!!int x",
            "!!int '3'",
            "!!float x",
            "!!bool x",
            "!!null x",
            "!!binary aGk=",
            "!!set {a}",
        ),
        *("!!python/object/apply:os.system [touch owned]", "!!python/name:os.system", "!!str 3", "!!timestamp x"),
        *(r'"\UFFFFFFFF"', r'"\U00110000"', "%YAML 1.1", "%YAML 99999999999.1", "%TAG ! tag:x,2000:", "!<!> x", "! x"),
        *(r'"\ud800"', r'"\0"', r'"\e[2J\e[31m"', r'"\x9b1m"', r'"a\nb"', r'"\u202e"', r'"\u2028"', r'"\U0010ffff"'),
        *("'[bold]x[/bold]'", "'%s{0}{}'", "../up", "/", "/dev/zero", "a/b", "'a:b'", "~root", "x" * 5000),
        *("{? [a] : b}", "{1: 2}", "{null: 1}", "{true: 1}", "{? {a: b} : c}", "{name: }", "{name: [x]}", "{name: {}}"),
        *("[1, [2, [3]]]", "[.nan]", "{schedule: linear}", "{schedule: x}", "{a: &b [*b]}", "{weight: -1}"),
    ]
)
PLUGINS = {kind: registry.load().all(kind) for kind in KINDS}
NAMES = {kind: st.sampled_from([plugin.name for plugin in found]) for kind, found in PLUGINS.items()}
ANY_NAME = st.one_of(*NAMES.values())
KEYS = st.sampled_from(
    [
        *(*config.load({}).data(), *definition.KEYS, "base", "stop", "mutation.rate", "name ", "NAME", "réporters"),
        *('"\\e[31m"', '"a\\nb"', "1", "null", "? a", "x" * 300, "<<", "'a.b.c'", '"\\ud800"', "selection.size"),
    ]
)
NUMBERS = st.one_of(
    st.integers(-2, 1000),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
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


def of_schema(schema):
    """Values that a parameter may have, or nearly."""
    if "anyOf" in schema:
        return st.one_of([of_schema(option) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(json.dumps(schema["const"]))
    if "enum" in schema:
        return st.sampled_from([json.dumps(each) for each in schema["enum"]])
    kinds = {
        "integer": st.integers(0, 100),
        "number": st.floats(0, 1) | NUMBERS | schedules(),
        "boolean": st.booleans(),
        "string": st.sampled_from(["x", "mnist_cnn", "nowhere.keras", "ssh"]),
        "array": st.lists(st.integers(0, 255), max_size=3),
    }
    return kinds.get(schema.get("type"), ODD)


def schedules():
    keys = st.sampled_from(["from", "to", "over", "rate", "start", "end", "factor", "floor", "every", "generations"])
    return st.dictionaries(keys, mostly(NUMBERS), max_size=4).flatmap(
        lambda given_: st.sampled_from(["linear", "exponential", "cosine", "step"]).map(
            lambda name: {"schedule": name, **given_}
        )
    )


def choices(kind):
    """Choices of a plugin: its name, or with parameters."""

    def with_parameters(plugin):
        parameters = {name: mostly(of_schema(each.schema)) for name, each in plugin.parameters.items()}
        return st.fixed_dictionaries({"name": st.just(plugin.name)}, optional=parameters)

    whole = st.sampled_from(PLUGINS[kind]).flatmap(with_parameters)
    return st.one_of(NAMES[kind], whole, st.dictionaries(mostly(st.just("name"), KEYS), ANY_NAME, max_size=2))


STOPS = st.fixed_dictionaries(
    {},
    optional={
        "confidence": mostly(st.floats(0.01, 0.99)),
        "score": mostly(NUMBERS),
        "evaluations": mostly(st.integers(1, 10**6)),
        "generations": mostly(st.integers(0, 10**6)),
        "seconds": mostly(st.integers(1, 100)),
        "stagnation": mostly(st.integers(1, 100)),
    },
)
BASES = ["generated.yaml", "nowhere.yaml", "/dev/zero", "..", "''", '"\\0"', "x" * 5000]
EXPERIMENT = {
    "name": mostly(st.sampled_from(["x", "a-b", "3"])),
    "seed": mostly(st.integers(0, 10**30)),
    "seeds": mostly(st.integers(1, 5)),
    "targets": mostly(st.just("all") | st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=1, max_size=3)),
    "stop": mostly(STOPS),
    "lockstep": mostly(st.integers(1, 64)),
    "reporters": mostly(st.lists(choices("reporter"), max_size=3)),
    "plugins": mostly(st.just([]), st.lists(ODD, max_size=2)),
    **{kind: mostly(choices(kind)) for kind in CHOICES if kind != "dataset"},
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
    "goal": mostly(st.fixed_dictionaries({}, optional={"confidence": st.floats(0.01, 0.99), "score": NUMBERS})),
    "budget": mostly(st.integers(1, 10**6)),
    "tried": ANY_NAME,
    "variants": mostly(
        st.dictionaries(mostly(st.sampled_from("abc")), st.dictionaries(KEYS, ODD, max_size=2), max_size=3)
    ),
}


def some_of(keys, most):
    """Mappings of a few of many keys: of all at once hardly any would be right."""
    return st.lists(st.sampled_from(sorted(keys)), max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keys[name] for name in names})
    )


def lines_of(data, extra):
    lines = [f"{key}: {flow(value)}" for key, value in data.items()]
    return "\n".join([*lines, *extra]) + "\n"


EXTRA = st.lists(st.builds("{}: {}".format, KEYS, ODD), max_size=2)
VARY = st.fixed_dictionaries({"vary": mostly(st.lists(OPTIONS, min_size=1, max_size=3).map(dict))})
DOCUMENTS_OF_KEYS = st.builds(
    lambda one, two, three, extra: lines_of({**one, **two, **three}, extra),
    some_of(EXPERIMENT, 4),
    st.just({}) | VARY,
    st.just({}) | some_of(STUDY, 2),
    mostly(st.just([]), EXTRA),
)


@generated(0.5, text=DOCUMENTS_OF_KEYS)
def test_documents_of_known_keys(text, folder):
    check(text, folder)


# --- Shipped files, changed -----------------------------------------------------------------------------------------

CHARACTERS = mostly(
    st.sampled_from("abz0123456789 :-,.[]{}\n"),
    st.sampled_from([*"&*!|>'\"#%@`\t\\é\x07\x1b\x85\ufeff\u2028\u202e", "\ud800", "\0"]),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["digit", "digit", "delete", "insert", "swap", "out", "twice"]), st.floats(0, 1), CHARACTERS
    ),
    min_size=1,
    max_size=3,
)


def changed(text, changes):
    for change, share, character in changes:
        at, lines = int(share * len(text)), text.split("\n")
        line = int(share * (len(lines) - 1))
        text = {
            "delete": text[:at] + text[at + 1 :],
            "insert": text[:at] + character + text[at:],
            "swap": text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
            "digit": text[:at] + re.sub(r"\d", str(at % 10), text[at:], count=1),
            "out": "\n".join(lines[:line] + lines[line + 1 :]),
            "twice": "\n".join(lines[: line + 1] + lines[line:]),
        }[change]
    return text


@generated(0.3, text=st.sampled_from([path.read_text() for path in CONFIGS]), changes=CHANGES)
def test_shipped_files_changed(text, changes, folder):
    check(changed(text, changes), folder)


# --- Text that looks like YAML --------------------------------------------------------------------------------------

PIECES = st.one_of(KEYS, ODD, ANY_NAME, CHARACTERS, st.sampled_from([": ", "- ", "\n", "\n  ", "? ", "--- ", "..."]))


@generated(0.2, pieces=st.lists(PIECES, max_size=20))
def test_text_that_looks_like_yaml(pieces, folder):
    check("".join(pieces), folder)


# --- What is built to take long -------------------------------------------------------------------------------------

LONG = {
    "a grid of a billion variants": "vary:\n"
    + "".join(f"  mutation.p{index}: {list(range(10))}\n" for index in range(9)),
    "very many unknown keys": "".join(f"k{index}: 1\n" for index in range(20_000)),
    "very many unknown keys of a plugin": "mutation: {name: gaussian, "
    + ", ".join(f"k{index}: 1" for index in range(20_000))
    + "}",
    "very many targets": f"targets: {list(range(90_000))}",
    "a very long list of reporters": f"reporters: [{', '.join(['console'] * 20_000)}]",
    "very many lines of a list": "targets:\n" + "- 1\n" * 90_000,
    "deep in blocks": "a:\n" + "".join(" " * depth + "- a:\n" for depth in range(1, 400)),
    "deep in brackets": "a: " + "[" * 400_000,
    "deep in braces": "{a: " * 200_000,
    "deep in dashes": "- " * 400_000,
    "deep in question marks": "? " * 400_000,
    "many anchors": "a: [" + ", ".join(f"&a{index} 1" for index in range(50_000)) + "]",
    "a ladder of aliases": "a0: &a0 [1, 1]\n"
    + "".join(f"a{step}: &a{step} [*a{step - 1}, *a{step - 1}]\n" for step in range(1, 60)),
    "a ladder of merges": "a0: &a0 {k: 1}\n"
    + "".join(f"a{step}: &a{step} {{<<: [*a{step - 1}, *a{step - 1}]}}\n" for step in range(1, 60)),
    "one huge scalar": "name: " + "x" * 900_000,
    "one huge quoted scalar": 'name: "' + "\\e" * 400_000 + '"',
    "one huge key": "x" * 900_000 + ": 1",
    "one huge integer": "seed: " + "9" * 900_000,
    "one huge hexadecimal integer": "seed: 0x" + "f" * 900_000,
    "one huge float": "seed: 1." + "1" * 900_000 + "e5",
    "colons": ":" * 900_000,
    "empty lines": "\n" * 900_000,
    "a comment without end": "#" * 900_000,
    "a tag without end": "a: !" + "x" * 900_000,
    "an anchor without end": "a: &" + "x" * 900_000,
    "an alias without end": "a: *" + "x" * 900_000,
    "percent signs": "%" * 900_000,
    "document after document": "--- a\n" * 100_000,
}


SOME = [
    "a grid of a billion variants",
    "a ladder of aliases",
    "a ladder of merges",
    "deep in blocks",
    "deep in braces",
    "one huge key",
    "one huge hexadecimal integer",
]


@pytest.mark.parametrize("name", LONG if EVERY else SOME)
def test_what_is_built_to_take_long(name, folder):
    check(LONG[name], folder)
