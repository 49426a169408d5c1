"""The experiment file: every mistake has a message that helps, and what is right is read as it is meant."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.experiments import ROOT, unannounced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import fooldeap_plugins
from fooldeap import cli, registry
from fooldeap.configuration import config
from fooldeap.configuration.writing import as_yaml
from fooldeap.errors import InputError
from fooldeap.plugin import KINDS, Annotated, Gt, Lt, mutation
from fooldeap.retrain import settings as retraining
from fooldeap.study import definition
from fooldeap.sweeps import definition as sweep
from fooldeap.tuning import settings as tuning

BROKEN = YAML(typ="safe").load(ROOT / "tests/configuration/broken_configurations.yaml")
CONFIGS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if "classifiers" not in path.parts]


# --- What is broken -------------------------------------------------------------------------------------------------


def write(folder, case):
    for name, text in {"broken.yaml": case["text"], **case.get("files", {})}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)


def expected_of(case, folder):
    """Return the lines on stderr that a case expects, its placeholders filled in."""
    plugins = registry.load()
    pixels = plugins.get("genome", "pixels")
    text = case["expect"].replace("FOLDER", str(folder)).replace("PLUGINS", str(Path(fooldeap_plugins.__file__).parent))
    for kind in KINDS:
        names = [plugin.name for plugin in plugins.all(kind)]
        fitting = [plugin.name for plugin in plugins.all(kind) if config.fits(plugin, pixels)]
        text = text.replace(f"NAMES({kind})", ", ".join(names)).replace(f"FITTING({kind})", ", ".join(fitting))
    return [f"fooldeap: {line}" for line in text.splitlines()]


@pytest.mark.parametrize("case", BROKEN, ids=[case["name"] for case in BROKEN])
def test_broken_files_are_reported_with_position_and_cure(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, case)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", "broken.yaml", *case.get("overrides", [])])
    shown = capsys.readouterr()
    assert unannounced(shown.err).splitlines() == expected_of(case, tmp_path)
    assert shown.out == ""
    assert exit_.value.code == 2
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "name", ["an unknown mutation", "a Python object", "several mistakes, in the order of the lines"]
)
def test_broken_files_end_the_command_with_exit_code_2(name, tmp_path):
    (case,) = (case for case in BROKEN if case["name"] == name)
    write(tmp_path, case)
    command = [sys.executable, "-m", "fooldeap", "run", "broken.yaml", *case.get("overrides", [])]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.stderr.splitlines() == expected_of(case, tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert not (tmp_path / "runs").exists()


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", *arguments])
    assert exit_.value.code == 2
    return capsys.readouterr().err


def test_bytes_that_are_no_text_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("latin.yaml").write_bytes("name: é".encode("latin-1"))
    assert refused(capsys, "latin.yaml") == "fooldeap: latin.yaml: is not UTF-8 text (byte 6); save it as UTF-8\n"


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("large.yaml").write_text("# " + "x" * 2_000_000)
    told = "fooldeap: large.yaml: got 2,000,002 bytes, expected at most 2,000,000; use a smaller file\n"
    assert refused(capsys, "large.yaml") == told


@pytest.mark.parametrize("text", ["[" * 600, "- " * 5000, "{a: " * 600])
def test_too_deeply_nested_files_are_refused(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("deep.yaml").write_text(text)
    assert refused(capsys, "deep.yaml").count("\n") == 1


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 400, str(2**63), str(-(2**63) - 1), "0x8" + "0" * 15])
def test_an_integer_of_more_than_64_bits_is_refused(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("long.yaml").write_text(f"seed: {text}")
    assert re.fullmatch(
        r'fooldeap: long.yaml:1:7: seed: got "\S+, expected an integer of at most 64 bits; quote it to mean text\n',
        refused(capsys, "long.yaml"),
    )


def test_a_file_that_is_not_there_is_refused_with_its_neighbour(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mnist.yaml").write_text("seed: 1")
    assert refused(capsys, "mnst.yaml") == "fooldeap: no file 'mnst.yaml'; did you mean 'mnist.yaml'?\n"
    assert refused(capsys, "xyz") == "fooldeap: no file 'xyz'; name a YAML file\n"


def test_errors_in_python_data_name_the_argument():
    with pytest.raises(InputError, match=r"^argument: mutation\.rate: got 2, expected a number > 0 and <= 1$"):
        config.load({}, arguments={"mutation": {"name": "random_pixels", "rate": 2}})
    with pytest.raises(InputError, match=r"^argument: mutation\.rate: got 2, expected a number > 0 and <= 1$"):
        config.load({"mutation.rate": 2})
    with pytest.raises(InputError, match=r"^argument: targets\[1\]: got 3 twice, expected each target once$"):
        config.load({"targets": [3, 3]})


def test_a_misfit_is_placed_in_the_file_that_chose_it_whatever_its_name(tmp_path, monkeypatch):
    @mutation("rewrite", genome="sentences")
    def rewrite(genomes, rng):
        """Write other sentences."""

    (tmp_path / "defaults.yaml").write_text("seed: 1\nmutation: rewrite\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^defaults\.yaml:2:11: mutation: 'rewrite' does not work on the genome"):
        config.load("defaults.yaml", plugins=[rewrite])


# Words that YAML and experiments are made of, so that chance hits upon more than syntax errors.
WORDS = st.sampled_from(
    [
        *("name", "seed", "targets", "stop", "mutation", "rate", "random_pixels", "gaussian", "reporters", "plugins"),
        *("base", ":", "-", ",", "{", "}", "[", "]", "?", "|", ">", "&", "*", "!", "!!", "<<", "&a", "*a", "'", '"'),
        *("#", "%", "@", "`", "---", "...", "~", "null", "true", "0", "1", "-1", "0.5", ".nan", ".inf", "1e9", "0x1"),
        *("2001-01-01", "!!int", "!!float", "!!bool", "!!str", "!x", "\n", "\t", "\\", "é", "\x07", "\x85"),
    ]
)
GAPS = st.sampled_from(["", " ", " ", "\n", "\n", "\n  ", ": "])


@settings(max_examples=200, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(pieces=st.lists(st.tuples(WORDS, GAPS), max_size=25))
def test_any_text_is_read_or_refused(pieces, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text("".join(word + gap for word, gap in pieces), encoding="utf-8")
    try:
        config.load(path)
    except InputError as error:
        lines = str(error).splitlines()
    else:
        lines = []
    for line in lines:
        assert line.startswith(str(path))
        assert line.isprintable()


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(text=st.text(max_size=40))
def test_any_override_is_read_or_refused(text):
    for word in (text, f"name={text}", f"{text}=3"):
        with contextlib.suppress(InputError):
            config.load({}, [word])


# --- What is right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_that_ships_loads(path):
    schema = re.search(r"schemas/(\w+)\.json", path.read_text())[1]
    loading = {"study": definition.load, "retraining": retraining.load, "sweep": sweep.load, "tuning": tuning.load}
    load = {"experiment": config.load, **loading}[schema]
    loaded = load(path)
    assert (loaded.experiment if schema == "retraining" else loaded).name == path.stem


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "name: x", "\ufeffname: x", "name: 2026-01-31"])
def test_a_file_may_be_silent(text, tmp_path):
    path = tmp_path / "silent one.yaml"
    path.write_text(text, encoding="utf-8")
    experiment = config.load(path)
    named = text.partition("name: ")[2]
    assert experiment.name == (named or "silent-one")
    assert experiment.digest == config.load({}).digest


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["targets=[3, 1]", "seeds=3", "dataset=mnist"],
        ["mutation={name: gaussian, rate: 1}", "stop={score: 3, seconds: 2, evaluations: null}"],
        ["classifier.input_range=[0, 1]", "reporters=[]", "fitness.cap=1e20"],
    ],
)
def test_a_resolved_configuration_is_the_same_experiment(overrides, tmp_path):
    experiment = config.load(ROOT / "configs/mnist.yaml", overrides)
    path = tmp_path / "config.yaml"
    path.write_text(as_yaml(experiment.data()), encoding="utf-8")
    again = config.load(path)
    assert again == experiment
    assert again.digest == experiment.digest
    assert config.load(experiment) == experiment
    assert config.load(experiment.data()) == experiment


def test_the_resolved_configuration_hides_nothing():
    data = config.load({}).data()
    assert data["mutation"] == {"name": "random_pixels", "rate": 0.01}
    assert data["algorithm"].keys() >= {"name", "population", "elites"}
    assert data["stop"]["score"] is None


def test_digest_covers_the_settings_that_determine_the_bits():
    digest = config.load({}).digest
    for same in (
        "name=x",
        "seed=4",
        "seeds=2",
        "targets=[3]",
        "reporters=[]",
        "concurrent_runs=1",
        "mutation.rate=0.01",
    ):
        assert config.load({}, [same]).digest == digest
    for other in ("mutation.rate=0.02", "stop.evaluations=9", "genome={name: pixels}", "selection.size=4"):
        assert (config.load({}, [other]).digest == digest) == (other == "genome={name: pixels}")


def test_numbers_mean_the_same_however_they_are_written():
    @mutation("half", genome="pixels")
    def half(images, rng, *, share: Annotated[float, Gt(0), Lt(3)] = 1):
        """Do nothing."""
        return images

    written = [["mutation=half"], ["mutation={name: half, share: 1}"], ["mutation={name: half, share: 1.0}"]]
    digests = {config.load({}, words, plugins=[half]).digest for words in written}
    assert len(digests) == 1


# --- What lies over what --------------------------------------------------------------------------------------------


def values(kind, *overrides, **data):
    choice = getattr(config.load(data, overrides), kind)
    return choice.data()


def test_overrides_lie_over_the_file():
    assert values("mutation", "mutation.rate=0.02", mutation="random_pixels") == {"name": "random_pixels", "rate": 0.02}
    assert config.load({"seed": 3}, ["seed=4", "seed=5"]).seed == 5
    assert config.load({}, ["targets=[2, 3]"]).targets == (2, 3)
    assert config.load({}, ["targets=2"]).targets == (2,)
    assert config.load({}, ["name='3'"]).name == "3"
    assert config.load({}, ["stop.confidence=null"]).stop.confidence is None
    assert config.load({"seed": 3}, ["seed=4"], arguments={"seed": 5, "concurrent_runs": 2}).seed == 4


def test_parameters_are_kept_only_if_the_plugin_stays_the_same():
    chosen = {"name": "gaussian", "rate": 0.3, "sigma": 9.0}
    assert values("mutation", "mutation.rate=0.4", mutation=chosen) == {**chosen, "rate": 0.4}
    assert values("mutation", "mutation=gaussian", mutation=chosen) == chosen
    assert values("mutation", "mutation={name: gaussian}", mutation=chosen) == chosen
    assert values("mutation", "mutation=random_pixels", mutation=chosen) == {"name": "random_pixels", "rate": 0.01}
    assert values("mutation", "mutation={name: random_pixels}", mutation=chosen)["rate"] == 0.01


def test_the_order_of_words_on_the_command_line_does_not_matter():
    words = ["mutation=gaussian", "mutation.sigma=9", "mutation.rate=0.5"]
    expected = {"name": "gaussian", "rate": 0.5, "sigma": 9.0}
    assert values("mutation", *words) == values("mutation", *reversed(words)) == expected


def test_stops_are_kept_one_by_one():
    stop = config.load({"stop": {"evaluations": 50}}, ["stop.seconds=3"]).stop
    assert (stop.evaluations, stop.seconds, stop.confidence) == (50, 3.0, 0.9999)


@pytest.fixture
def chain(tmp_path):
    """Three files, each the base of the next, in folders of their own, with a plugin beside the middle one."""
    files = {
        "a/first.yaml": "seed: 7\nstop: {evaluations: 70}\nmutation: {name: gaussian, rate: 0.7, sigma: 7}\n",
        "b/second.yaml": "base: ../a/first.yaml\nplugins: [mine.py]\nmutation: {rate: 0.6}\ncrossover: halves\n",
        "c/third.yaml": "base: ../b/second.yaml\nstop: {generations: 5}\nselection: mine\n",
        "b/mine.py": (
            "from fooldeap.plugin import selection\n\n\n"
            "@selection('mine')\ndef mine(fitness, count, rng):\n    '''Take the first.'''\n    return range(count)\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_base_lies_under_the_file_that_names_it(chain, monkeypatch):
    monkeypatch.chdir(chain)
    experiment = config.load("c/third.yaml")
    assert experiment.name == "third"
    assert experiment.seed == 7
    assert experiment.mutation.data() == {"name": "gaussian", "rate": 0.6, "sigma": 7.0}
    assert experiment.crossover.plugin.name == "halves"
    assert (experiment.stop.evaluations, experiment.stop.generations) == (70, 5)


def test_paths_are_relative_to_the_file_that_names_them(chain, monkeypatch):
    monkeypatch.chdir(chain / "a")
    experiment = config.load("../c/third.yaml")
    assert experiment.plugins == (str(chain / "b/mine.py"),)
    assert experiment.selection.plugin.name == "mine"
    (chain / "resolved.yaml").write_text(as_yaml(experiment.data()))
    assert config.load("../resolved.yaml").digest == experiment.digest


def test_paths_on_the_command_line_are_relative_to_the_folder_one_is_in(chain, monkeypatch):
    monkeypatch.chdir(chain / "b")
    assert config.load("../a/first.yaml", ["plugins=[mine.py]", "selection=mine"]).selection.plugin.name == "mine"
    assert config.load("../c/third.yaml", ["plugins=[mine.py]"]).plugins == (str(chain / "b/mine.py"),)


def test_plugins_from_the_command_line_are_part_of_the_resolved_configuration(chain, monkeypatch):
    monkeypatch.chdir(chain)
    experiment = config.load({}, ["selection=mine"], plugins=["b/mine.py"])
    assert config.load(experiment.data()) == experiment
    assert experiment.plugins == (str(chain / "b/mine.py"),)


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (
            "a/first.yaml",
            "rate: 0.7, sigma: 7",
            "rate: 0.7, sigma: -7",
            "a/first.yaml:3:46: mutation.sigma: got -7",
        ),
        ("a/first.yaml", "seed: 7", "sede: 7", "a/first.yaml:1:1: sede: unknown key"),
        ("a/first.yaml", "name: gaussian", "name: gausian", "a/first.yaml:3:18: mutation.name: no mutation"),
        ("b/second.yaml", "rate: 0.6", "rate: 6", "b/second.yaml:3:18: mutation.rate: got 6"),
        ("b/second.yaml", "halves", "halfs", "b/second.yaml:4:12: crossover: no crossover is named 'halfs'"),
        ("c/third.yaml", "generations: 5", "generations: -5", "c/third.yaml:2:21: stop.generations: got -5"),
    ],
)
def test_positions_point_into_the_file_of_a_chain_that_is_wrong(chain, monkeypatch, file, old, new, place):
    monkeypatch.chdir(chain)
    path = chain / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=f"^{re.escape(place)}"):
        config.load("c/third.yaml")


def test_overridden_mistakes_are_ignored(chain, monkeypatch):
    monkeypatch.chdir(chain)
    (chain / "a/first.yaml").write_text("mutation: {name: gausian, sigma: -1}\nseed: -1\nreporters: [a, b]\n")
    experiment = config.load("c/third.yaml", ["mutation=random_pixels", "seed=1", "reporters=[csv]"])
    assert experiment.mutation.plugin.name == "random_pixels"


def test_an_error_after_loading_points_into_the_file(chain, monkeypatch):
    monkeypatch.chdir(chain)
    error = config.load("c/third.yaml").error("seed", "got 7")
    assert str(error) == "a/first.yaml:1:7: seed: got 7"


def test_file_parameters_are_taken_relative_to_the_file(tmp_path, monkeypatch):
    from fooldeap.plugin import File, dataclass, dataset

    @dataset("filed")
    @dataclass(frozen=True, kw_only=True)
    class Filed:
        """Nothing."""

        path: File = "none"

    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / "data.npz").touch()
    (tmp_path / "x.yaml").write_text("dataset: {name: filed, path: data.npz}")
    loaded = config.load(tmp_path / "x.yaml", plugins=[Filed])
    assert loaded.dataset.values["path"] == str(tmp_path / "data.npz")
    assert config.load({}, ["dataset=filed"], plugins=[Filed]).dataset.values["path"] == "none"
    assert config.load({}, ["dataset={name: filed, path: other}"], plugins=[Filed]).dataset.values["path"] == "other"
