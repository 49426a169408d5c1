"""Print the tables of docs/paper.md about ImageNet.

``python benchmarks/imagenet.py FOLDER [FOLDER ...]`` reads the folders of finished runs of
configs/paper/imagenet_*.yaml. The first table gives the confidences of the best images so far after some numbers of
images, over all classes. The second table gives the median confidence of the final images of dogs, cats and all other
classes, and the class with the lowest confidence.

``--other MODEL`` also shows the final images to another ONNX model of tools/imagenet_models.py, enlarged to its size,
and gives its confidence in the targets. ``--sheet FILE`` writes a PNG with the 24 images of the first folder that have
the highest confidence. ``--contrast NUMBER`` multiplies the distance of its pixels from mid-grey.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import fooldeap
from fooldeap.configuration import config
from fooldeap.plugin import Predictions, Result

LEVELS = (0.5, 0.9, 0.99, 0.9999)
PARTS = (0.1, 0.25, 0.5, 1)  # of the evaluations of a run
BATCH = 32
DOGS, CATS = range(151, 269), range(281, 286)  # classes of ImageNet


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--contrast", type=float, default=1)
    arguments = parser.parse_args()
    results = {folder.name: fooldeap.load(folder) for folder in arguments.folders}
    levels = [f"classes at {100 * level:g} %" for level in LEVELS]
    print(f"| run | images | median confidence | mean confidence | {' | '.join(levels)} |")
    print("|---" + "|---:" * (3 + len(LEVELS)) + "|")
    for name, result in results.items():
        for images, confidences in curves(result):
            reached = [f"{np.sum(confidences >= level):,}" for level in LEVELS]
            shown = [f"{images:,}", percent(np.median(confidences)), percent(confidences.mean()), *reached]
            print(f"| `{name}` | {' | '.join(shown)} |")
    print("\n| run | dogs, median | cats, median | all other classes, median | lowest |")
    print("|---" + "|---:" * 4 + "|")
    for name, result in results.items():
        final = {run.target: run.confidence for run in result}
        groups = (DOGS, CATS, [each for each in final if each not in DOGS and each not in CATS])
        medians = [percent(np.median([final[each] for each in group if each in final] or [np.nan])) for group in groups]
        lowest = min(final, key=lambda target: final[target])
        print(f"| `{name}` | {' | '.join(medians)} | class {lowest}: {percent(final[lowest])} |")

    if arguments.other is not None:
        print_transfer(results, arguments.other)
    if arguments.sheet is not None:
        first = next(iter(results.values()))
        best = sorted(first, key=lambda run: -run.confidence)[:24]
        print("\n" + ", ".join(first.names[run.target] for run in best))
        images = [127 + arguments.contrast * (run.image.pixels - 127.0) for run in best]
        write_sheet([np.clip(each, 0, 255).astype(np.uint8) for each in images], arguments.sheet)


def print_transfer(results: dict[str, Result], model: Path) -> None:
    """Print which images that fool the attacked network also fool another one."""
    settings = {"name": "onnx", "model": str(model), "outputs": "logits", "mean": [127] * 3, "std": [128] * 3}
    classifier = config.load({"classifier": settings}).build_classifier()
    print(
        "\n| run | images at 50 % | images of which the other network predicts the target | median confidence of the "
        "other network in the target |"
    )
    print("|---" + "|---:" * 3 + "|")
    for name, result in results.items():
        runs = [run for run in result if run.confidence >= LEVELS[0]]
        found = []
        for start in range(0, len(runs), BATCH):
            part = runs[start : start + BATCH]
            images = np.stack([resized(run.image.pixels, classifier.input_shape[1]) for run in part])
            probabilities = Predictions(classifier.logits(images), images).probabilities
            targets = [run.target for run in part]
            found += zip(probabilities.argmax(axis=1) == targets, probabilities[range(len(part)), targets], strict=True)
        agreed, confidences = zip(*found, strict=True)
        print(f"| `{name}` | {len(runs)} | {sum(agreed)} | {percent(np.median(confidences))} |")


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """Return an image with another side, interpolated bilinearly."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


def write_sheet(images: list[np.ndarray], path: Path) -> None:
    """Write images in rows of eight, at half their size."""
    small = [resized(each, 112) for each in images]
    small += [np.full_like(small[0], 255)] * (-len(small) % 8)
    rows = [np.concatenate(small[start : start + 8], axis=1) for start in range(0, len(small), 8)]
    Image.fromarray(np.concatenate(rows)).save(path)


def curves(result: Result) -> Iterator[tuple[int, np.ndarray]]:
    """Yield numbers of images at the end of generations, and the highest confidence of each class until then."""
    ends = np.unique([row.evaluations for run in result for row in run.log])
    for images in np.unique([ends[max(0, np.searchsorted(ends, part * ends[-1], "right") - 1)] for part in PARTS]):
        yield (
            int(images),
            np.array([max(row.confidence for row in run.log if row.evaluations <= images) for run in result]),
        )


def percent(share: float) -> str:
    """Return a share in per cent, rounded down to a hundredth."""
    return "–" if np.isnan(share) else f"{np.floor(1e4 * share) / 100:.2f} %"


if __name__ == "__main__":
    main()
