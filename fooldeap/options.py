"""What the user permits for one command or call.

A file cannot give permissions, because it may come from another person. So they are not keys of YAML and not part of a
resolved configuration.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Permissions of the user.

    Attributes
    ----------
    trust_model : run code that a model file contains or names
    no_plugins : refuse a file that names plugins or commands
    force : resume a folder although its environment or configuration has changed
    earlier : digests of the experiment before it was extended; its journals may have them
    """

    trust_model: bool = False
    no_plugins: bool = False
    force: bool = False
    earlier: tuple[str, ...] = ()


NO_OPTIONS = Options()
