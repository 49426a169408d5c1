"""Time audits of classifiers from several libraries: the table of docs/audit.md.

    python benchmarks/audits.py [--only TEXT] [--out FOLDER]

Each time is that of a complete process ``fooldeap audit``, from its start until its page is written. _models.py trains
the models that do not ship with fooldeap. Models that need a missing extra (``onnx`` or ``torch``) are skipped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import _models

from fooldeap.audit.battery import GOAL

CASES: dict[str, Callable[[Path], Sequence[str]]] = {
    "`mnist_cnn`": lambda _: ["mnist_cnn", "--images", "mnist"],
    "`mnist_lenet`": lambda _: ["mnist_lenet", "--images", "mnist"],
    "`mnist_cnn` as ONNX, channels first, softmax at its end": _models.channels_first,
    "made up: TorchScript": _models.torchscript,
    "made up: Keras, softmax behind global pooling": _models.pooled,
    "made up: MobileNetV2, ten textures": _models.mobilenet,
}


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="audit only classifiers whose name contains this text")
    parser.add_argument("--out", type=Path, help="keep the audits in this folder")
    arguments = parser.parse_args()
    print("| classifier | images | evaluations per class and attack | classes reached | seconds |")
    print("|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as made:
        for number, (name, make) in enumerate(CASES.items()):
            if arguments.only in name:
                try:
                    words = make(Path(made))
                except ImportError as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    continue
                print(measure(name, words, (arguments.out or Path(made)) / f"audit{number}"), flush=True)


def measure(name: str, words: Sequence[str], folder: Path) -> str:
    """Run an audit and return its row of the table."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "fooldeap", "audit", *words, "--out", folder, "--quiet"], check=True)
    seconds = time.perf_counter() - start
    assert (folder / "report.html").is_file()
    data = json.loads((folder / "audit.json").read_text())
    reached = sum(each["fewest"][str(GOAL)] is not None for each in data["classes"])
    shape = " x ".join(map(str, data["shape"]))
    return f"| {name} | {shape} | {data['budget']} | {reached} of {len(data['classes'])} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
