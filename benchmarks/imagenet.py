"""Print the tables of docs/paper.md about ImageNet.

``python benchmarks/imagenet.py FOLDER [FOLDER ...]`` reads the folders of finished runs of
configs/paper/imagenet_*.yaml. The first table gives the confidences of the best images so far after some numbers of
images, over all classes. The second table gives the median confidence of the final images of dogs, cats and all other
classes, and the class with the lowest confidence.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fooldeap
from fooldeap.plugin import Result

LEVELS = (0.5, 0.9, 0.99, 0.9999)
PARTS = (0.1, 0.25, 0.5, 1)  # of the evaluations of a run
DOGS, CATS = range(151, 269), range(281, 286)  # classes of ImageNet


def main() -> None:
    """Print the tables as Markdown."""
    results = {Path(folder).name: fooldeap.load(folder) for folder in sys.argv[1:]}
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
