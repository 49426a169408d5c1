"""What may be handed over from Python: numbers of numpy, functions as plugins, models of one's own."""

from pathlib import Path

import numpy as np
import pytest
from helpers.experiments import KIT, TINY
from helpers.resuming import interrupted

import fooldeap
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import mutation

SHORT = {**TINY, "reporters": [], "stop": {"evaluations": 60, "confidence": None}}


@mutation("smudge", genome="pixels")
def smudge(images, rng):
    """Redraw the first row."""
    images[:, 0] = rng.integers(0, 256, images[:, 0].shape)
    return images


class Own:
    """A classifier of no plugin, which fails when it is asked for the second time."""

    input_shape, classes = (8, 8, 1), 3

    def __init__(self, patience):
        self.patience = patience

    def logits(self, images):
        self.patience -= len(images)
        if self.patience < 0:
            raise MemoryError("no room")
        return 9 * np.eye(3, dtype=np.float32)[images.sum(axis=(1, 2, 3)) % 3]


def test_numbers_of_numpy_ranges_and_tuples(tmp_path):
    values = {"seed": np.int64(2), "targets": range(2), "mutation": {"name": "random_pixels", "rate": np.float64(0.5)}}
    result = fooldeap.run({**SHORT, **values}, plugins=[KIT], out=tmp_path / "run", reporters=("csv",))
    plain = {"seed": 2, "targets": [0, 1], "mutation": {"name": "random_pixels", "rate": 0.5}}
    expected = fooldeap.run({**SHORT, **plain}, plugins=[KIT], out=tmp_path / "plain")
    assert result.markdown() == expected.markdown()
    array = fooldeap.run({**SHORT, **plain, "targets": np.array([0, 1])}, plugins=[KIT], out=tmp_path / "array")
    assert array.markdown() == expected.markdown()
    with pytest.raises(InputError, match=r"seed: got 1.5, expected an integer >= 0"):
        fooldeap.run({**SHORT, "seed": np.float32(1.5)}, plugins=[KIT])


@pytest.mark.parametrize("single", [str(KIT), KIT], ids=["text", "path"])
def test_a_single_plugin_need_be_no_list(single):
    assert fooldeap.toolbox(SHORT, plugins=single).sample(3).shape == (3, 8, 8, 1)
    toolbox = fooldeap.toolbox({"mutation": "smudge"}, plugins=smudge)
    assert toolbox.mutate.func.plugin.name == "smudge"


def test_its_names_are_there_to_be_completed():
    assert {*fooldeap.__all__} <= {*dir(fooldeap)}


def test_fool_takes_functions_as_plugins():
    result = fooldeap.fool(Own(10**9), 1, plugins=[smudge], mutation="smudge", stop={"evaluations": 50})
    assert result[1].evaluations == 50 or result[1].reached


def test_fool_takes_a_model_file():
    model = Path(fooldeap.__file__).parent / "data/classifiers/mnist_cnn.keras"
    for named in (model, str(model)):
        assert fooldeap.fool(named, 8, stop={"evaluations": 100})[8].reached


@pytest.mark.parametrize("source", [None, 3, ["configs/mnist.yaml"]])
def test_objects_that_are_no_experiment_give_one_line(source):
    with pytest.raises(InputError, match=r"^experiment: got .*, expected a YAML file, or its content as"):
        fooldeap.run(source)


def test_names_of_classes_are_counted_before_the_start(tmp_path):
    (tmp_path / "names.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match=r"names.txt.* has 2 lines, expected a name for each of 10"):
        fooldeap.run(
            {"classifier": {"name": "keras", "class_names": str(tmp_path / "names.txt")}}, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_class_names_may_change_before_resume(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"digit {digit}" for digit in range(10)))
    choices = {**SHORT, "classifier": {"name": "keras", "class_names": str(names)}, "reporters": ["csv"]}
    expected = fooldeap.run(choices, plugins=KIT, out=tmp_path / "whole")
    with interrupted(Run, "finish_generation", after=20):
        fooldeap.run(choices, plugins=KIT, out=tmp_path / "run")
    names.write_text("\n".join(f"the {digit}" for digit in range(10)))
    result = fooldeap.resume(tmp_path / "run")
    assert [run.log for run in result] == [run.log for run in expected]
    assert (expected.names[3], result.names[3]) == ("digit 3", "the 3")


@pytest.mark.parametrize("what", [None, "configs/mnist.yaml", 3])
def test_individual_view_refuses_other_objects(what):
    with pytest.raises(InputError, match=r"^got .*, expected a toolbox, as fooldeap\.toolbox\(source\) gives it"):
        fooldeap.individual_view(what)


def test_fool_names_the_object_that_is_at_fault():
    with pytest.raises(PluginError, match=r"^classifier 'Own' raised MemoryError: no room$"):
        fooldeap.fool(Own(0), 1)


def test_a_run_with_a_function_as_plugin_goes_on(tmp_path):
    choices = {**SHORT, "mutation": "smudge", "reporters": ["csv"]}
    expected = fooldeap.run(choices, plugins=[KIT, smudge], out=tmp_path / "whole")
    with interrupted(Run, "finish_generation", after=20):
        fooldeap.run(choices, plugins=[KIT, smudge], out=tmp_path / "run")
    with pytest.raises(InputError, match="no mutation is named 'smudge'"):
        fooldeap.resume(tmp_path / "run")
    result = fooldeap.resume(tmp_path / "run", plugins=smudge)
    assert [run.log for run in result] == [run.log for run in expected]
