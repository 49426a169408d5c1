"""The reference of the YAML files, from their schemas."""

from typing import Any

from fooldeap import registry, schema
from fooldeap.parameters import in_words, shown
from fooldeap.plugin import KINDS


def page() -> str:
    """Return the page as Markdown, a section a kind of file."""
    known = registry.load()
    experiment = schema.experiment(known)
    files = {
        "Experiment": (experiment, "`fooldeap run FILE`; [what the keys mean](../configuration.md)."),
        "Study": (schema.study(known), "`fooldeap compare FILE`; [studies](../comparing.md). Beside those above:"),
        "Retraining": (schema.retraining(known), "`fooldeap retrain FILE`; [retraining](../retraining.md). Beside:"),
        "Training": (schema.training(), "`fooldeap train FILE`; [classifiers](../classifiers.md)."),
    }
    sections = ["# YAML files", "Made from the schemas that `fooldeap schema` prints, for an editor to check by."]
    for title, (content, said) in files.items():
        known_keys = experiment["properties"] if title in ("Study", "Retraining") else {}
        own = {key: each for key, each in content["properties"].items() if key not in known_keys}
        sections += [f"## {title}", said, _table(own)]
    stop = experiment["properties"]["stop"]["properties"]
    sections[5:5] = ["### stop", _table(stop), "### Schedules", _schedules(experiment)]
    return "\n\n".join(sections) + "\n"


def _table(properties: dict[str, Any], prefix: str = "") -> str:
    rows = [f"| `{prefix}{key}` | {_values(key, each)} | {_meaning(each)} |" for key, each in properties.items()]
    return "\n".join(["| key | takes | meaning |", "|---|---|---|", *rows])


def _values(key: str, content: dict[str, Any]) -> str:
    kind = key.removesuffix("s") if key == "reporters" else key
    if kind in KINDS:
        return f"a [{kind}](../stock.md#{kind}): its name, or a mapping with `name` and parameters" + (
            "; a list of them" if key == "reporters" else ""
        )
    return in_words(content).replace("|", "\\|")


def _meaning(content: dict[str, Any]) -> str:
    default = f" Default: `{shown(content['default'])}`." if "default" in content else ""
    return f"{content.get('description', '')}{default}".strip()


def _schedules(experiment: dict[str, Any]) -> str:
    """Return the schedules that may stand in the place of a number of an operator."""
    parts = ["In the place of a number of a fitness, selection, crossover or mutation; see [plugins](../plugins.md)."]
    for each in experiment["$defs"]["schedule"]["anyOf"]:
        name = each["properties"]["schedule"]
        parts += [f"**{name['const']}.** {name['description']}".replace("``", "`")]
        parts += [_table({key: value for key, value in each["properties"].items() if key != "schedule"})]
    return "\n\n".join(parts)
