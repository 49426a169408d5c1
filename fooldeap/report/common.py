"""The sections that every report has.

To add a section to every report of a run, study, audit, retraining and tuning, add it to `complete`. It then appears in
``report.html`` and, except for runs, in ``report.md``, or only in one of them if the section says so. The text of the
section may depend on the files of the folder. The ``report.md`` of a study must depend on its records only, so that
`fooldeap verify` can compare it: a section about this machine or this session belongs to pages only.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fooldeap.formatting import grouped
from fooldeap.report.model import HTML, Block, Code, Items, Report, Section, Table, Text
from fooldeap.storage.inputs import read, read_json, rows_of

_DEPENDS_ON = {
    "image": "only the image",
    "batch": "the image and its batch",
    "chance": "chance; the results cannot be reproduced",
}


def complete(report: Report, folder: Path, configuration: str, *, provenance: Sequence[str] = (HTML,)) -> Report:
    """Return a report with the sections that every report has.

    Parameters
    ----------
    report : the report
    folder : the folder, with ``environment.json``
    configuration : the name of the configuration file in the folder
    provenance : the outputs that show the provenance
    """
    blocks = list(_provenance(folder, configuration))
    return replace(report, sections=[*report.sections, Section("Provenance", blocks, provenance)])


def _provenance(folder: Path, configuration: str) -> Iterator[Block]:
    """Yield what a folder records about its origin: forced changes, query log, configuration, versions and plugins."""
    environment = read_json(folder / "environment.json")
    forced = [str(change) for change in environment.get("forced", [])]
    if forced:
        yield Text("Resumed with --force, although these had changed:")
        yield Items(forced, warning=True)
    if sessions := query_log(folder / "queries.csv"):
        yield Text(
            "The query log: the number of images in each session. asked: images that the algorithms asked for. They "
            "were answered from the cache, from the journal or by the classifier. shown: all images that the "
            "classifier answered, padding and probes included. uncertain: images of queries that did not return, "
            "because the session was killed, interrupted or failed."
        )
        yield Table(list(sessions[0]), [list(row.values()) for row in sessions])
    yield Code(read(folder / configuration).decode(errors="replace"), "Configuration")
    yield Table(["item", "value"], list(_versions(environment)), left=2, title="Versions")
    plugins = [(str(name), str(digest)[:16]) for name, digest in environment.get("plugins", {}).items()]
    if plugins:
        yield Table(["plugin", "SHA-256 of its source"], plugins, left=2, title="Plugins")


def _versions(environment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    words = [str(word) for word in environment.get("command", [])]
    yield "command", " ".join([os.path.basename(words[0]), *words[1:]]) if words else "unknown"  # noqa: PTH119 - a word
    yield "machine", f"{environment.get('platform', 'unknown')}, {environment.get('cores', '?')} cores"
    yield "python", str(environment.get("python", "unknown"))
    yield from ((str(name), str(version)) for name, version in environment.get("packages", {}).items())
    if environment.get("classifier"):
        yield "classifier, SHA-256", str(environment["classifier"])[:16]
    if answers := _DEPENDS_ON.get(str(environment.get("answers_depend_on"))):
        yield "the classifier's answers depend on", answers


def query_log(path: Path) -> list[dict[str, str]]:
    """Return the rows of the query log without its last column; empty if the file is missing."""
    rows = rows_of(read(path)) if path.is_file() else []
    return [{name: _count(row[name]) for name in list(row)[:-1]} for row in rows]


def _count(cell: Any) -> str:
    text = str(cell).strip()
    return grouped(int(text)) if text.isdecimal() else text
