"""The snapshots of large experiments: in files, each image once."""

import io
import zipfile

import numpy as np
import pytest
from helpers.experiments import run, tiny

import fooldeap
from fooldeap.engine import snapshots, stored_snapshots
from fooldeap.engine.stored_snapshots import PictureFile, StoredSnapshots
from fooldeap.errors import InputError
from fooldeap.results import FoolingImage

LARGE = {"targets": [1, 2], "stop": {"generations": 20, "confidence": None}}


pytestmark = pytest.mark.usefixtures("small_memory")


@pytest.fixture
def folder(tmp_path):
    run(tiny(**LARGE), tmp_path / "run")
    return tmp_path / "run"


def test_generations_are_the_powers_of_ten():
    assert [each for each in range(5000) if stored_snapshots.due(each)] == [0, 1, 10, 100, 1000]


@pytest.mark.parametrize("algorithm", ["generational", "map_elites"])
def test_they_are_the_snapshots_that_are_otherwise_in_memory(tmp_path, algorithm):
    experiment = tiny(**LARGE, algorithm={"name": algorithm, "population": 12})
    in_memory, _ = run(experiment)
    stored, _ = run(experiment, tmp_path / "run")
    for one, *others in zip(in_memory, stored, fooldeap.load(tmp_path / "run"), strict=True):
        kept = [each for each in one.snapshots if each.generation in (0, 1, 20)]
        for other in others:
            assert isinstance(other.snapshots, StoredSnapshots)
            assert [each.generation for each in other.snapshots] == [0, 1, 10, 20]
            for each, again in zip(kept, [*other.snapshots[:2], other.snapshots[-1]], strict=True):
                assert each[:3] == again[:3]
                np.testing.assert_array_equal(each.image, again.image)
                np.testing.assert_array_equal(each.logits, again.logits)
            np.testing.assert_array_equal(one.image.pixels, other.image.pixels)
            assert one.image.png() == other.image.png()
            assert [each.generation for each in other.snapshots[1:3]] == [1, 10]


def test_each_image_is_stored_once_and_nothing_else_remains(folder):
    with np.load(folder / "snapshots.npz") as file:
        pictures = [name for name in file.files if name.endswith(".png")]
        assert len(pictures) == len(file["logits"]) == file["picture"].max() + 1 < len(file["picture"])
        assert len({file[name] for name in pictures}) == len(pictures)
    assert [path.suffix for path in (folder / "journal").iterdir()] == [".journal"] * 2
    for each in fooldeap.load(folder):
        assert each.snapshots.last_image.png() == (folder / f"images/{each.target}.png").read_bytes()


def test_another_answer_to_the_last_image_replaces_that_of_one_snapshot_only(folder):
    taken = fooldeap.load(folder)[1].snapshots
    other = snapshots.with_last(taken, 0.25, np.zeros(10, np.float32))
    assert other[-1].score == 0.25
    assert not other[-1].logits.any()
    np.testing.assert_array_equal(other[-1].image, taken[-1].image)
    assert other[-2].score == taken[-2].score
    assert taken[-1].logits.any()


def test_a_file_of_pictures_is_not_appended_to_after_it_is_closed(tmp_path):
    file = PictureFile(tmp_path / "x.pictures")
    file.add(np.zeros((2, 2, 1), np.uint8))
    file.close()
    with pytest.raises(ValueError, match="is closed"):
        file.add(np.zeros((2, 2, 1), np.uint8))


@pytest.mark.parametrize("cut", [0, 3, 4, 60, 10_000])
@pytest.mark.parametrize("changed", [[], [1]])
def test_a_resumed_run_uses_the_pictures_of_an_earlier_session(tmp_path, monkeypatch, cut, changed):
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)

    def write():
        file = PictureFile(tmp_path / "x.pictures")
        assert [file.add(image) for image in images] == [0, 1, 2]
        file.close()
        for number, image in enumerate(images):
            np.testing.assert_array_equal(FoolingImage.from_png(file.png(number)).pixels, image)
        return (tmp_path / "x.pictures").read_bytes()

    whole = write()
    (tmp_path / "x.pictures").write_bytes(whole[:-cut] if cut else whole)
    images[changed] += 1
    encode, encoded = FoolingImage.png, []
    monkeypatch.setattr(FoolingImage, "png", lambda image: encoded.append(image) or encode(image))
    again = write()
    assert changed or again == whole
    complete = 3 if cut == 0 else 2 if cut < 200 else 0
    assert len(encoded) == 3 - (min(complete, 1) if changed else complete)


@pytest.mark.parametrize("wrong", ["picture", "number", "run", "short", "logits", "missing", "cut", "compressed"])
def test_invalid_files_are_refused(folder, wrong):
    path, members = folder / "snapshots.npz", {}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    arrays = {name: np.load(io.BytesIO(content)) for name, content in members.items() if name.endswith(".npy")}
    changes = {
        "number": {"picture.npy": arrays["picture.npy"] + 1},
        "run": {"run.npy": arrays["run.npy"] - 1},
        "short": {"score.npy": arrays["score.npy"][1:]},
        "logits": {"logits.npy": arrays["logits.npy"].astype(np.float64)},
    }
    for name, array in changes.get(wrong, {}).items():
        content = io.BytesIO()
        np.save(content, array)
        members[name] = content.getvalue()
    if wrong == "picture":
        del members["0.png"]
    elif wrong == "missing":
        del members["generation.npy"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if wrong == "compressed" else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if wrong == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"it cannot be read|its arrays are not|it has runs|it has not all pictures"):
        snapshots.read_file(path, 2)


@pytest.mark.parametrize("wrong", ["changed", "no picture"])
def test_images_that_change_after_the_folder_was_read_are_refused(folder, wrong):
    result, path = fooldeap.load(folder), folder / "snapshots.npz"
    content = path.read_bytes()
    place = content.index(b"IHDR")
    path.write_bytes(content[:place] + b"xxxx" + content[place + 4 :] if wrong == "changed" else content[:50])
    with pytest.raises(InputError, match=r"^[^:]*snapshots\.npz: was changed; restore it from a copy$"):
        _ = result[1].snapshots[0]


def test_members_that_are_no_pictures_are_refused(folder):
    path = folder / "snapshots.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, b"no picture" if name.endswith(".png") else content)
    with pytest.raises(InputError, match=r"snapshots.npz: it is not a readable PNG"):
        _ = snapshots.read_file(path, 2)[0][0]
