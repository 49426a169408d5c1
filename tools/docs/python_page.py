"""The reference of the Python package, from its docstrings: all that it exports."""

import fooldeap

MODULES = {  # what plugins and their tests import, and how a fitness sees what the classifier said
    "fooldeap.plugin": "For plugins",
    "fooldeap.contracts": "What plugins are handed, and give back",
    "fooldeap.testing": "For tests of plugins",
    "fooldeap.toolboxes": "The toolbox",
}


def page() -> str:
    """Return the page as Markdown, for mkdocstrings."""
    sections = ["# Python", "Made from the docstrings. How it is used: [from Python](../python.md)."]
    sections += [f"::: fooldeap.{name}" for name in fooldeap.__all__]
    for module, title in MODULES.items():
        sections += [f"::: {module}", f"    options: {{heading: {title}}}"]
    return "\n\n".join(sections).replace("\n\n    options", "\n    options") + "\n"
