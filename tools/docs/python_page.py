"""The reference of the Python package, from its docstrings: all that it exports."""

import fooldeap

MODULES = {
    "fooldeap.plugin": "What plugins import",
    "fooldeap.testing": "What tests of plugins import",
    "fooldeap.engine.toolboxes": "The toolbox",
}


def page() -> str:
    """Return the page as Markdown, for mkdocstrings."""
    sections = ["# Python", "Made from the docstrings. How it is used: [from Python](../python.md)."]
    sections += [
        _section(f"{getattr(fooldeap, name).__module__}.{name}", f"fooldeap.{name}") for name in fooldeap.__all__
    ]
    sections += [_section(module, title) for module, title in MODULES.items()]
    return "\n\n".join(sections) + "\n"


def _section(identifier: str, heading: str) -> str:
    return f"::: {identifier}\n    options: {{heading: {heading}, toc_label: {heading}}}"
