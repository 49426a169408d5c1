"""The reference of the YAML files: what each key takes by the schemas, and what it means by the tables of the pages."""

import re
from pathlib import Path
from typing import Any

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.help import schema
from fooldeap.help.catalogue import in_yaml
from fooldeap.parameters import in_words
from fooldeap.plugin import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def page() -> str:
    """Return the page as Markdown, a section a kind of file."""
    known = registry.load()
    experiment = schema.experiment(known)["properties"]
    defaults = config.load({}).data()
    stop = defaults.pop("stop")
    del defaults["name"]  # it is the file's
    sections = [
        "# YAML files",
        "Made from the schemas that `fooldeap schema` prints, for an editor to check by. "
        "What is written around them is in [configuration](../configuration.md).",
        "## Experiment",
        "For `fooldeap run`.",
        _table(experiment, meanings("configuration.md"), defaults),
        "### stop",
        _table(experiment["stop"]["properties"], meanings("configuration.md", "`stop.`"), stop),
        "### Schedules",
        _schedules(schema.experiment(known)),
    ]
    for title, command, content, source, head in (
        ("Study", "compare", schema.study(known), "comparing.md", "key"),
        ("Retraining", "retrain", schema.retraining(known), "retraining.md", "key"),
        ("Training", "train", schema.training(known), "configuration.md", "training"),
    ):
        also = "" if title == "Training" else " The keys of an experiment, and these:"
        keys = {key: each for key, each in content["properties"].items() if also == "" or key not in experiment}
        said = f"For `fooldeap {command}`; see [{source.removesuffix('.md')}](../{source}).{also}"
        sections += [f"## {title}", said, _table(keys, meanings(source, head), {})]
    return "\n\n".join(sections) + "\n"


def meanings(page: str, head: str = "key") -> dict[str, str]:
    """Return what the keys mean that the tables of a page list, those whose first column has this head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    tables = re.findall(rf"^\| {re.escape(head)} \|.*\n\|-.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", "".join(tables), re.MULTILINE)
    rows += re.findall(r"^\| `(\w+)` \| ([^|]*) \|$", "".join(tables), re.MULTILINE)
    return {key: re.sub(r"\]\((?!https:)", "](../", text) for key, text in rows}


def _table(keys: dict[str, Any], said: dict[str, str], defaults: dict[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_values(key, each)} | {_default(key, each, defaults)} | {said.get(key, '')} |"
        for key, each in keys.items()
    ]
    return "\n".join(["| key | takes | default | meaning |", "|---|---|---|---|", *rows])


def _values(key: str, content: dict[str, Any]) -> str:
    kind = key.removesuffix("s") if key == "reporters" else key
    if kind not in KINDS or content.get("type") == "string":  # a training's dataset is a name alone
        return in_words(content).replace("|", "\\|")
    article = "an" if kind[0] in "ae" else "a"
    one = f"{article} [{kind}](../stock.md#{kind}): its name, or a mapping with `name` and parameters"
    return f"a list, each {one}" if key == "reporters" else one


def _default(key: str, content: dict[str, Any], defaults: dict[str, Any]) -> str:
    value = defaults.get(key, content.get("default"))
    if key in defaults and key in KINDS:
        value = value and value["name"]
    if key == "reporters":
        value = [each["name"] for each in value]
    return f"`{in_yaml(value)}`".replace("\N{NO-BREAK SPACE}", " ") if key in defaults or "default" in content else ""


def _schedules(experiment: dict[str, Any]) -> str:
    """Return the schedules that may stand in the place of a number of an operator."""
    parts = ["In the place of a number of a fitness, selection, crossover or mutation; see [plugins](../plugins.md)."]
    for each in experiment["$defs"]["schedule"]["anyOf"]:
        name = each["properties"]["schedule"]
        takes = "; ".join(
            f"`{key}`, {in_words(content)}" for key, content in each["properties"].items() if key != "schedule"
        )
        parts.append(f"**{name['const']}**: {name['description']} It takes {takes}.".replace("``", "`"))
    return "\n\n".join(parts)
