"""Runs that start from images: the first generation has these images, whatever their source is."""

import shutil

import numpy as np
import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY, bits, run, tiny
from helpers.resuming import check_resumes_wherever_cut
from PIL import Image
from scipy.fft import dctn

import fooldeap
from fooldeap import registry
from fooldeap.errors import InputError
from fooldeap.images.given import load_start

SHAPE, COUNT = (8, 8, 1), 5
IMAGES = np.random.default_rng(3).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
SHORT = {**TINY, "targets": [0, 1], "stop": {"evaluations": 60, "confidence": None}}


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures; their order is that of their names."""
    return write_pictures(tmp_path / "pictures")


def write_pictures(folder, images=IMAGES, names="abcdefgh", suffix="png"):
    folder.mkdir()
    for name, image in zip(names, images, strict=False):
        Image.fromarray(image[:, :, 0]).save(folder / f"{name}.{suffix}")
    return folder


def first_generation(genome, count=12, **more):
    toolbox = fooldeap.toolbox({**SHORT, "genome": genome, **more}, plugins=[KIT])
    return toolbox.decode(toolbox.sample(count))


# --- Genomes ----------------------------------------------------------------------------------------------------------


def test_the_classifier_is_shown_the_images_first(pictures):
    result, prepared = run(tiny(**{**SHORT, "targets": [0], "genome": {"name": "pixels", "start": str(pictures)}}))
    shown = np.concatenate(prepared.classifier.images)
    assert np.array_equal(shown[:COUNT], IMAGES)
    random, usual = run(tiny(**{**SHORT, "targets": [0], "genome": "pixels"}))
    assert np.array_equal(shown[COUNT:12], np.concatenate(usual.classifier.images)[COUNT:12])  # the rest is random
    assert result[0].log != random[0].log


def blocks(image, side):
    """Return an image whose squares have the mean of their pixels."""
    found = np.empty_like(image)
    for row in range(0, len(image), side):
        for column in range(0, len(image), side):
            part = (slice(row, row + side), slice(column, column + side))
            found[part] = np.rint(image[part].mean())
    return found


def low_frequencies(image, size):
    """Return an image without its higher frequencies, by SciPy."""
    found = dctn(image[:, :, 0] - 127.5, norm="ortho")
    found[size:], found[:, size:] = 0, 0
    return np.clip(np.rint(dctn(found, type=3, norm="ortho") + 127.5), 0, 255)[:, :, None]


@pytest.mark.parametrize(
    ("genome", "more", "expected"),
    [
        ({"name": "pixels"}, {}, lambda image: image),
        ({"name": "binary"}, {"mutation": "invert"}, lambda image: np.where(image >= 128, 255, 0)),
        ({"name": "blocks", "side": 3}, {}, lambda image: blocks(image, 3)),
        ({"name": "dct", "size": 5}, {"mutation": "gaussian"}, lambda image: low_frequencies(image, 5)),
        ({"name": "dct", "size": 8}, {"mutation": "gaussian"}, lambda image: image),
        (
            {"name": "dct_self_adaptive", "size": 4},
            {"mutation": "self_adaptive"},
            lambda image: low_frequencies(image, 4),
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) and "name" in value else "",
)
def test_each_genome_starts_from_the_most_similar_images(pictures, genome, more, expected):
    found = first_generation({**genome, "start": str(pictures)}, **more)
    assert np.array_equal(found[:COUNT], [expected(image) for image in IMAGES])
    assert np.array_equal(found[COUNT:], first_generation(genome, **more)[COUNT:])


def test_a_genome_that_cannot_represent_images_names_those_that_can(pictures):
    cure = "this genome cannot represent given images; choose one that can: binary, blocks, dct, dct_self_adaptive, pix"
    with pytest.raises(InputError, match=f"genome.start: unknown key; {cure}"):
        tiny(genome={"name": "cppn", "start": str(pictures)}, mutation="cppn", crossover="none")


def test_later_generations_do_not_start_again(pictures):
    toolbox = fooldeap.toolbox({**SHORT, "genome": {"name": "pixels", "start": str(pictures)}}, plugins=[KIT])
    assert np.array_equal(toolbox.sample(2), IMAGES[:2])
    toolbox.generation = 1
    assert not np.array_equal(toolbox.sample(2), IMAGES[:2])


def test_cma_es_starts_at_the_mean_of_the_images(pictures):
    more = {
        "algorithm": {"name": "cma_es", "sigma": 1e-9, "population": 4},
        "genome.name": "dct",
        "stop.generations": 1,
    }
    _, prepared = run(tiny(**{**SHORT, "targets": [0], **more, "genome.start": str(pictures), "genome.size": 8}))
    mean = np.rint(IMAGES.mean(axis=0))
    assert np.abs(prepared.classifier.images[0][0] - mean).max() <= 1


# --- Sources ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The folder of a finished run, and that of a study."""
    place = tmp_path_factory.mktemp("earlier")
    made = fooldeap.run({**SHORT, "targets": "all"}, plugins=[KIT], out=place / "run", quiet=True)
    study = {
        **{key: SHORT[key] for key in ("classifier", "algorithm", "targets")},
        "vary": {"selection": ["tournament", "roulette"]},
        "goal": {"confidence": 0.999},
        "budget": 60,
    }
    return made, fooldeap.compare(study, plugins=[KIT], out=place / "study", quiet=True)


def test_the_folder_of_a_run_gives_its_images_the_most_confident_first(earlier):
    made, _ = earlier
    best = sorted(made, key=lambda each: -each.confidence)
    assert np.array_equal(load_start(str(made.folder), SHAPE), [each.image.pixels for each in best])
    found = first_generation({"name": "pixels", "start": made.folder})
    assert np.array_equal(found[: len(best)], [each.image.pixels for each in best])


def test_a_study_gives_its_best_images(earlier):
    _, study = earlier
    runs = sorted(study.outcome.runs, key=lambda each: -each.confidence)
    best = [study.outcome.images[each.key] for each in runs]
    found = first_generation({"name": "pixels", "start": str(study.folder)}, 3)
    assert np.array_equal(found, best[:3])


def test_all_kinds_of_sources_give_the_same_bits(pictures, tmp_path, earlier):
    np.savez(tmp_path / "images.npz", images=IMAGES)
    np.savez(tmp_path / "grey.npz", x_test=IMAGES[:, :, :, 0])
    shutil.copytree(pictures, tmp_path / "copy")
    results = [
        fooldeap.run({**SHORT, "genome": {"name": "pixels", "start": str(source)}}, plugins=[KIT], quiet=True,
                     out=tmp_path / f"run-{number}").folder
        for number, source in enumerate([pictures, tmp_path / "images.npz", tmp_path / "grey.npz", tmp_path / "copy"])
    ]  # fmt: skip
    answers = [{name: each for name, each in bits(folder).items() if "journal" not in name} for folder in results]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert bits(results[0]) == bits(results[3])  # the journals name the content of the folder, not its path


def test_a_dataset_gives_its_test_images():
    digits = registry.load().get("dataset", "mnist").build({}).load().test_images
    assert np.array_equal(load_start("mnist", (28, 28, 1))[:50], digits[:50])


def test_contact_sheets_are_left_out(earlier):
    made, _ = earlier
    assert list((made.folder / "images").glob("contact_sheet*")) == []
    shutil.copy(made.folder / "images/0.png", made.folder.parent / "contact_sheet.png")
    folder = write_pictures(made.folder.parent / "with_sheet")
    shutil.copy(folder / "a.png", folder / "contact_sheet.png")
    assert np.array_equal(load_start(str(folder), SHAPE), IMAGES)


def test_pictures_of_another_size_are_resized(tmp_path):
    greys = np.arange(COUNT, dtype=np.uint8)[:, None, None, None]
    large = np.broadcast_to(greys, (COUNT, 20, 30, 1))
    assert np.array_equal(
        load_start(str(write_pictures(tmp_path / "large", large)), SHAPE), np.broadcast_to(greys, (COUNT, *SHAPE))
    )


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            "nowhere",
            "start: nowhere: expected a folder, a file or a dataset; name a folder of pictures or an .npz file",
        ),
        ("unifrom", "expected a folder, a file or a dataset"),
        ("mnist", r"start: mnist: got uint8 (10000, 28, 28, 1), expected uint8 (n, 8, 8, 1); resize the images"),
        ("EMPTY", "got no image, expected files that end in .png"),
        ("TEXT", "expected a folder or an .npz file"),
        ("FLOAT", "the values lie in 0..1: save numpy.rint(255 * images).astype('uint8')"),
        ("BROKEN", "cannot read this picture"),
    ],
)
def test_a_wrong_source_is_one_line_with_its_place_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, start, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "BROKEN").mkdir()
    (tmp_path / "BROKEN/a.png").write_bytes(b"no picture")
    (tmp_path / "TEXT").write_text("x")
    np.savez(tmp_path / "FLOAT.npz", images=IMAGES / 255)
    (tmp_path / "FLOAT.npz").rename(tmp_path / "FLOAT")
    (tmp_path / "e.yaml").write_text(f"classifier: tiny\nreporters: []\ngenome: {{name: pixels, start: {start}}}\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert call("run", "e.yaml", "--plugins", KIT, "--out", "run") == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("fooldeap: e.yaml:3:9: genome: ")
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_unfinished_folder_is_refused(earlier, tmp_path):
    shutil.copytree(earlier[0].folder, tmp_path / "cut")
    (tmp_path / "cut/SHA256SUMS").unlink()
    with pytest.raises(InputError, match=r"cut: is not finished; finish it first: fooldeap run --resume"):
        first_generation({"name": "pixels", "start": str(tmp_path / "cut")})


# --- Identity ---------------------------------------------------------------------------------------------------------


def test_changed_images_are_refused_when_a_run_is_resumed(pictures, tmp_path):
    source = {**SHORT, "genome": {"name": "pixels", "start": str(pictures)}}
    folder = fooldeap.run(source, plugins=[KIT], out=tmp_path / "run", quiet=True).folder
    expected = bits(folder)
    for name in ("result.json", "SHA256SUMS"):
        (folder / name).unlink()
    Image.fromarray(IMAGES[1, :, :, 0]).save(pictures / "a.png")
    with pytest.raises(InputError, match="experiment has changed"):
        fooldeap.resume(folder, quiet=True)
    Image.fromarray(IMAGES[0, :, :, 0]).save(pictures / "a.png")
    fooldeap.resume(folder, quiet=True)
    assert bits(folder) == expected


def test_a_resumed_run_gives_the_same_bits(pictures, tmp_path):
    check_resumes_wherever_cut(tiny(**{**SHORT, "genome": {"name": "pixels", "start": str(pictures)}}), tmp_path, 6)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_workers_start_from_the_same_images(pictures, tmp_path, mode):
    source = {**SHORT, "genome": {"name": "pixels", "start": str(pictures)}}
    serial = fooldeap.run(source, plugins=[KIT], out=tmp_path / "serial", quiet=True)
    executor = {"name": "scoop", "workers": 2, "mode": mode}
    parallel = fooldeap.run(source, plugins=[KIT], out=tmp_path / "parallel", executor=executor, quiet=True)
    assert bits(serial.folder) == bits(parallel.folder)


def test_a_genome_of_an_earlier_version_without_start_has_the_same_identity():
    data = tiny(genome="dct", mutation="gaussian")
    assert data.digest == tiny(genome={"name": "dct", "start": None}, mutation="gaussian").digest
    assert data.digest != tiny(genome={"name": "dct", "start": "mnist"}, mutation="gaussian").digest
