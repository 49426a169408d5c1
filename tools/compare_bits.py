"""Compare the results of every configuration with those of another revision, bit for bit.

``python tools/compare_bits.py REVISION [EVALUATIONS]`` runs each file in ``configs``, as it is in each revision, with a
budget of EVALUATIONS (default 2000), and prints the files that differ. Images, ``log.csv``, snapshots and fronts are
compared.
"""

import configparser
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Compare the revisions; exit with 1 if a file differs."""
    revision, evaluations = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "2000"
    different = []
    with tempfile.TemporaryDirectory() as name:
        trees = {"before": export(revision, Path(name) / "before"), "now": export("HEAD", Path(name) / "now")}
        in_both = {path.name for path in (trees["before"] / "configs").glob("*.yaml")}
        for config in [path for path in sorted((trees["now"] / "configs").glob("*.yaml")) if path.name in in_both]:
            before, now = (files(run(tree, config.name, evaluations)) for tree in trees.values())
            names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
            different += [f"{config.name}: {name}" for name in names]
            print(f"{config.name}: {len(before)} files, {len(names)} differ", flush=True)
    print("\n".join(different))
    sys.exit(bool(different))


def export(revision: str, folder: Path) -> Path:
    """Write the packages of a revision to a folder that can be put on PYTHONPATH."""
    folder.mkdir()
    parts = ["fooldeap", "plugins", "configs", "setup.cfg"]
    archive = subprocess.run(["git", "archive", revision, *parts], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    (folder / "plugins").rename(folder / "fooldeap_plugins")
    # The metadata of the revision: its entry points are used instead of those of the installed package.
    settings = configparser.ConfigParser()
    settings.read(folder / "setup.cfg")
    metadata = folder / "fooldeap-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fooldeap\nVersion: 0\n")
    groups = (f"[{group}]{entries}\n" for group, entries in settings["options.entry_points"].items())
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    return folder


def run(tree: Path, config: str, evaluations: str) -> Path:
    """Run a configuration with the packages of a tree; return the folder."""
    out = tree / "runs" / config
    words = [
        "run",
        str(tree / "configs" / config),
        f"stop.evaluations={evaluations}",
        "report=false",
        "--out",
        str(out),
        "--quiet",
    ]
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from fooldeap.cli import main; main(sys.argv[1:])"
    subprocess.run([sys.executable, "-P", "-c", program, str(tree), *words], cwd=ROOT, check=True)
    return out


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of the files to compare, of archives only the arrays."""
    found = {}
    for path in sorted([*folder.glob("images/**/*.png"), folder / "log.csv", *folder.glob("*.npz")]):
        content = path.read_bytes()
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                content = b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays))
        found[str(path.relative_to(folder))] = content
    return found


if __name__ == "__main__":
    main()
