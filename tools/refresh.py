"""Update what is generated in README.md, docs and configs/schemas (make refresh).

These are the lists of plugins, the tables of stop criteria, stop reasons and log columns, and the schemas.
"""

import re
from pathlib import Path

from fooldeap import extensions, registry
from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.json_schema import text
from fooldeap.configuration.stopping import REASONS, Stop
from fooldeap.help.catalogue import in_yaml
from fooldeap.plugin import KINDS, LogRow

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Rewrite the tables and schemas in place; the text around them is kept."""
    known = registry.load()
    stock, readme = ROOT / "docs/stock.md", ROOT / "README.md"
    for kind in KINDS:
        plugins = sorted(known.all(kind), key=lambda plugin: plugin.name)
        table = "".join(f"| `{each.name}` | {each.summary.replace('``', '`')} |\n" for each in plugins)
        replace(stock, rf"(## {kind}\n\n\| name \| description \|\n\|---\|---\|\n)(?:\|.*\n)*", table)
        listed = re.search(rf"^\| {kind} \| (.*) \|$", readme.read_text(encoding="utf-8"), re.MULTILINE)
        names = {f"`{each.name}`" for each in plugins}
        if listed and re.fullmatch(r"`\w+`(, `\w+`)*", listed[1]):  # the cell lists only plugins: drop removed ones
            kept = [name for name in listed[1].split(", ") if name in names]
            replace(readme, rf"(\| {kind} \| )[^\n]* \|\n", f"{', '.join(kept)} |\n")
        missing = [f"`{each.name}`" for each in plugins if listed is None or f"`{each.name}`" not in listed[1]]
        if missing and listed is not None:
            replace(readme, rf"(\| {kind} \| )[^\n]* \|\n", f"{', '.join([listed[1], *missing])} |\n")
    for page, head, rows in tables():
        text_of_rows = "".join(f"{row}\n" for row in rows)
        replace(ROOT / "docs" / page, rf"({re.escape(head)}\n\|[-|]*\n)(?:\|.*\n)*", text_of_rows)
    for name, kind in extensions.load("fooldeap.files"):
        (ROOT / f"configs/schemas/{name}.json").write_text(text(kind.schema(known)), encoding="utf-8")


def tables() -> list[tuple[str, str, list[str]]]:
    """Return the tables that are generated from code: page, header and rows of each."""
    criteria = [
        f"| `{name}` | {in_yaml(each.default)} | {each.schema['description']} |" for name, each in keys_of(Stop).items()
    ]
    columns = [f"| `{name}` | {each.meaning} | {each.unit} |" for name, each in LogRow.columns().items()]
    return [
        ("configuration.md", "| key of `stop` | default | meaning |", criteria),
        (
            "running.md",
            "| `stopped` | the run ended because |",
            [f"| `{each.name}` | {each.clause} |" for each in REASONS],
        ),
        ("running.md", "| column | meaning | unit |", columns),
    ]


def replace(path: Path, pattern: str, text: str) -> None:
    """Replace each match of a pattern in a file by its first group and ``text``."""
    path.write_text(re.sub(pattern, lambda found: found[1] + text, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
