"""What mkdocs builds beside docs/: README and its like, a page for each plugin, and the references (see mkdocs.yml)."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_page
import plugin_pages
import python_page
import yaml_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from fooldeap import registry
from fooldeap.plugin import KINDS, Plugin

ROOT = Path(__file__).parents[2]
PLUGINS, CARDS = "stock.md", "cards/"  # in the navigation the pages of all plugins, and all model cards, stand there

# Files outside docs/ that are pages of the site, by their place there.
OUTSIDE = {
    "index.md": "README.md",
    **{name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")},
    **{
        f"{CARDS}{card.name}": str(card.relative_to(ROOT))
        for card in sorted(ROOT.glob("fooldeap/data/classifiers/*.md"))
    },
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the plugins and the model cards into the navigation."""
    config.nav = list(_filled(config.nav or []))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written elsewhere, or by nobody."""
    for uri, path in OUTSIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    pages = {
        **{plugin_pages.place(plugin): plugin_pages.page(plugin) for plugin in _plugins()},
        "reference/cli.md": cli_page.page(),
        "reference/yaml.md": yaml_page.page(),
        "reference/python.md": python_page.page(),
    }
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages; names of plugins in tables lead to them."""
    uri = page.file.src_uri
    if uri == PLUGINS or uri == "index.md":
        markdown = plugin_pages.linked(markdown, _plugins())
    if page.file.generated_by and uri not in OUTSIDE:
        return markdown
    here = posixpath.dirname(OUTSIDE.get(uri, f"docs/{uri}"))
    places = {path: uri for uri, path in OUTSIDE.items()}

    def on_site(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, link[1]))
        target = places.get(path, path.removeprefix("docs/"))
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[2] or ''})"

    return re.sub(r"\]\(([^)#:]+)(#[^)]*)?\)", on_site, markdown)


def _plugins() -> list[Plugin]:
    return registry.load().all()


def _filled(items: list[Any]) -> Iterator[Any]:
    """Yield the items of a navigation, with what stands below some of them."""
    for item in items:
        (title, below), *_ = item.items()
        if below == PLUGINS:
            kinds = [{kind: [plugin_pages.place(each) for each in registry.load().all(kind)]} for kind in KINDS]
            yield {title: [PLUGINS, *kinds]}
        elif below == CARDS:
            yield {title: [uri for uri in OUTSIDE if uri.startswith(CARDS)]}
        else:
            yield {title: list(_filled(below)) if isinstance(below, list) else below}
