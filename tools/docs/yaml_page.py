"""Generate the reference of the YAML files: values from the schemas, meanings from the tables in the docs."""

import re
from pathlib import Path
from typing import Any

from fooldeap import extensions, registry
from fooldeap.configuration import config
from fooldeap.configuration.experiment import LISTS
from fooldeap.help.catalogue import in_yaml
from fooldeap.parameters import in_words
from fooldeap.plugin import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def page() -> str:
    """Return the page as Markdown, with one section per kind of file."""
    known = registry.load()
    kinds = dict(extensions.load("fooldeap.files"))
    whole = kinds["experiment"].schema(known)
    experiment = whole["properties"]
    defaults = config.load({}).data()
    stop = defaults.pop("stop")
    del defaults["name"]  # the default is the name of the file
    sections = [
        "# YAML files",
        "All keys of the YAML files. `fooldeap schema` prints them as a JSON Schema for your editor. "
        "For explanations, see [configuration](../configuration.md).",
        "## Experiment",
        "Used by `fooldeap run`.",
        _table(experiment, meanings("configuration.md"), defaults),
        "### stop",
        _table(experiment["stop"]["properties"], {}, stop),
        "### Schedules",
        _schedules(whole),
    ]
    for title, source, head in (
        ("Sweep", "sweeps.md", "key"),
        ("Study", "comparing.md", "key"),
        ("Retraining", "retraining.md", "key"),
        ("Training", "configuration.md", "key"),
        ("Tuning", "tuning.md", "key"),
    ):
        kind = kinds[title.lower()]
        content, command = kind.schema(known), kind.command
        also = "" if title == "Training" else " It has the keys of an experiment, and these:"
        keys = {key: each for key, each in content["properties"].items() if also == "" or key not in experiment}
        introduction = f"Used by `fooldeap {command}`; see [{source.removesuffix('.md')}](../{source}).{also}"
        sections += [f"## {title}", introduction, _table(keys, meanings(source, head), {})]
    return "\n\n".join(sections) + "\n"


def meanings(page: str, head: str = "key") -> dict[str, str]:
    """Return the meanings of keys from the tables of a page whose first column has the header ``head``."""
    text = (DOCS / page).read_text(encoding="utf-8")
    tables = re.findall(rf"^\| {re.escape(head)} \|.*\n\|-.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", "".join(tables), re.MULTILINE)
    rows += re.findall(r"^\| `(\w+)` \| ([^|]*) \|$", "".join(tables), re.MULTILINE)
    return {key: re.sub(r"\]\((?!https:)", "](../", text) for key, text in rows}


def _table(keys: dict[str, Any], meaning: dict[str, str], defaults: dict[str, Any]) -> str:
    meaning = {key: each.get("description", "") for key, each in keys.items()} | meaning
    rows = [
        f"| `{key}` | {_values(key, each)} | {_default(key, each, defaults)} | {meaning[key]} |"
        for key, each in keys.items()
    ]
    return "\n".join(["| key | values | default | meaning |", "|---|---|---|---|", *rows])


def _values(key: str, content: dict[str, Any]) -> str:
    kind = next((kind for kind, name in LISTS.items() if name == key), key)
    if kind not in KINDS or content.get("type") == "string":  # in a training file, the dataset is only a name
        return in_words(content).replace("|", "\\|")
    article = "an" if kind[0] in "ae" else "a"
    one = f"{article} [{kind}](../stock.md#{kind}): its name, or a mapping with `name` and parameters"
    return f"a list, each {one}" if key in LISTS.values() else one


def _default(key: str, content: dict[str, Any], defaults: dict[str, Any]) -> str:
    value = defaults.get(key, content.get("default"))
    if key in defaults and key in KINDS:
        value = value and value["name"]
    if key in LISTS.values():
        value = [each["name"] for each in value]
    return f"`{in_yaml(value)}`".replace("\N{NO-BREAK SPACE}", " ") if key in defaults or "default" in content else ""


def _schedules(experiment: dict[str, Any]) -> str:
    """Return the schedules that may replace a number of an operator."""
    parts = [
        "A schedule may replace a number of a fitness, selection, crossover or mutation; see [plugins](../plugins.md)."
    ]
    for each in experiment["$defs"]["schedule"]["anyOf"]:
        name = each["properties"]["schedule"]
        keys = "; ".join(
            f"`{key}`, {in_words(content)}" for key, content in each["properties"].items() if key != "schedule"
        )
        parts.append(f"**{name['const']}**: {name['description']} Keys: {keys}.".replace("``", "`"))
    return "\n\n".join(parts)
