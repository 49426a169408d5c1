"""Update the lists of plugins in docs/stock.md and README.md, and the schemas in configs/schemas (make refresh)."""

import re
from pathlib import Path

from fooldeap import registry
from fooldeap.help import schema
from fooldeap.plugin import KINDS

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Rewrite the tables and schemas in place; the text around them is kept."""
    known = registry.load()
    stock, readme = ROOT / "docs/stock.md", ROOT / "README.md"
    for kind in KINDS:
        plugins = sorted(known.all(kind), key=lambda plugin: plugin.name)
        table = "".join(f"| `{each.name}` | {each.summary.replace('``', '`')} |\n" for each in plugins)
        replace(stock, rf"(## {kind}\n\n\| name \| what it does \|\n\|---\|---\|\n)(?:\|.*\n)*", table)
        listed = re.search(rf"^\| {kind} \| (.*) \|$", readme.read_text(encoding="utf-8"), re.MULTILINE)
        names = {f"`{each.name}`" for each in plugins}
        if listed and re.fullmatch(r"`\w+`(, `\w+`)*", listed[1]):  # the cell lists only plugins: drop removed ones
            kept = [name for name in listed[1].split(", ") if name in names]
            replace(readme, rf"(\| {kind} \| )[^\n]* \|\n", f"{', '.join(kept)} |\n")
        missing = [f"`{each.name}`" for each in plugins if listed is None or f"`{each.name}`" not in listed[1]]
        if missing and listed is not None:
            replace(readme, rf"(\| {kind} \| )[^\n]* \|\n", f"{', '.join([listed[1], *missing])} |\n")
    schemas = {
        "experiment": schema.experiment(known),
        "study": schema.study(known),
        "training": schema.training(known),
        "retraining": schema.retraining(known),
    }
    for name, content in schemas.items():
        (ROOT / f"configs/schemas/{name}.json").write_text(schema.text(content), encoding="utf-8")


def replace(path: Path, pattern: str, text: str) -> None:
    """Replace each match of a pattern in a file by its first group and ``text``."""
    path.write_text(re.sub(pattern, lambda found: found[1] + text, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
