"""How images came about: kept when they should be, what they were then, and the same bits every time."""

import io

import numpy as np
import pytest
from helpers.experiments import run, tiny

from fooldeap.engine import snapshots


@pytest.fixture(scope="module")
def whole():
    return run(tiny(targets=[1, 2], stop={"generations": 13, "confidence": None}))


def test_generations_are_the_powers_of_the_root_of_two():
    kept = [generation for generation in range(200) if snapshots.due(generation)]
    assert kept == [0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181]
    assert kept[1:] == sorted({round(2 ** (power / 2)) for power in range(16)})


def test_they_are_kept_at_these_and_at_the_end(whole):
    result, _ = whole
    for each in result:
        assert [taken.generation for taken in each.snapshots] == [0, 1, 2, 3, 4, 6, 8, 11, 13]
        spent = {row.generation: row.evaluations for row in each.log}
        assert [taken.evaluations for taken in each.snapshots] == [spent[taken.generation] for taken in each.snapshots]
        assert np.array_equal(each.snapshots[-1].image, each.image.pixels)
        assert each.snapshots[-1].score == each.score


def test_a_snapshot_equals_the_result_of_a_run_that_ends_there(whole):
    result, _ = whole
    for generation in (0, 3, 8):
        ended, _ = run(tiny(targets=[1, 2], stop={"generations": generation, "confidence": None}))
        for one, other in zip(result, ended, strict=True):
            (taken,) = [each for each in one.snapshots if each.generation == generation]
            assert np.array_equal(taken.image, other.image.pixels)
            assert taken.score == other.score


def test_the_logits_are_the_classifiers(whole):
    result, prepared = whole
    images = np.stack([taken.image for each in result for taken in each.snapshots])
    logits = np.stack([taken.logits for each in result for taken in each.snapshots])
    assert np.array_equal(prepared.classifier.logits(images), logits)


def test_packed_and_unpacked(whole):
    result, _ = whole
    content = snapshots.packed(result.runs)
    assert content == snapshots.packed(result.runs)
    for each, found in zip(result, snapshots.unpacked(content, 2), strict=True):
        for one, other in zip(each.snapshots, found, strict=True):
            assert one[:3] == other[:3]
            assert np.array_equal(one.image, other.image)
            assert np.array_equal(one.logits, other.logits)


@pytest.mark.parametrize("wrong", ["object", "short", "shape", "type", "missing", "cut", "run"])
def test_invalid_snapshot_files_are_refused(whole, wrong):
    content = snapshots.packed(whole[0].runs)
    arrays = dict(np.load(io.BytesIO(content)))
    if wrong == "object":
        arrays["score"] = np.array([{}] * len(arrays["score"]), object)
    elif wrong == "short":
        arrays["score"] = arrays["score"][1:]
    elif wrong == "shape":
        arrays["image"] = arrays["image"][..., 0]
    elif wrong == "type":
        arrays["logits"] = arrays["logits"].astype(np.float64)
    elif wrong == "run":
        arrays["run"] = arrays["run"] + 1
    elif wrong == "missing":
        del arrays["logits"]
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    broken = content[: len(content) // 2] if wrong == "cut" else file.getvalue()
    with pytest.raises(ValueError, match=r"it cannot be read|its arrays are not|it has a run"):
        snapshots.unpacked(broken, 2)
