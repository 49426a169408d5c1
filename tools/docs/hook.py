"""Hooks of mkdocs that add pages to those in docs/: README and others, one page per plugin, and the references."""

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
PLUGINS, CARDS = "stock.md", "cards/"  # entries of the navigation below which the plugins and model cards are listed

# Pages of the site whose files are outside docs/, by their path in the site.
OUTSIDE = {
    "index.md": "README.md",
    **{name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")},
    **{
        f"{CARDS}{card.name}": str(card.relative_to(ROOT))
        for card in sorted(ROOT.glob("fooldeap/data/classifiers/*.md"))
    },
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the plugins and the model cards to the navigation."""
    config.nav = list(_expand(config.nav or []))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/ and the generated pages."""
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
    """Turn links between files into links between pages, and names of plugins in tables into links."""
    uri = page.file.src_uri
    if uri == PLUGINS or uri == "index.md":
        markdown = plugin_pages.add_links(markdown, _plugins())
    if page.file.generated_by and uri not in OUTSIDE:
        return markdown
    here = posixpath.dirname(OUTSIDE.get(uri, f"docs/{uri}"))
    places = {path: uri for uri, path in OUTSIDE.items()}

    def to_page(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, link[1]))
        target = places.get(path, path.removeprefix("docs/"))
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[2] or ''})"

    return re.sub(r"\]\(([^)#:]+)(#[^)]*)?\)", to_page, markdown)


def _plugins() -> list[Plugin]:
    return registry.load().all()


def _expand(items: list[Any]) -> Iterator[Any]:
    """Yield the items of a navigation, with the plugins and the model cards below their entries."""
    for item in items:
        (title, below), *_ = item.items()
        if below == PLUGINS:
            kinds = [{kind: [plugin_pages.place(each) for each in registry.load().all(kind)]} for kind in KINDS]
            yield {title: [PLUGINS, *kinds]}
        elif below == CARDS:
            yield {title: [uri for uri in OUTSIDE if uri.startswith(CARDS)]}
        else:
            yield {title: list(_expand(below)) if isinstance(below, list) else below}
