"""What to begin with in an empty folder: an experiment, a plugin of one's own, and how to go on."""

from importlib import resources
from pathlib import Path

from fooldeap.errors import InputError
from fooldeap.guidance import scaffold
from fooldeap.storage.files import write_whole

MUTATION = "my_mutation"
_FILES = {"README.md": "starter.md.txt", "experiment.yaml": "starter.yaml.txt"}


def write(folder: Path) -> list[Path]:
    """Write the files to a folder that is empty, or is not there yet, and return them.

    Files whose names begin with a dot do not count: a repository or an environment may be there.

    Raises
    ------
    InputError
        There is something in the folder, or it cannot be made; nothing was written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: is no folder to write to ({error.strerror}); name a new or an empty one") from None
    if there:
        raise InputError(f"{folder}: holds {there[0]!r} already; name a new or an empty folder: fooldeap init DIR")
    written = list(scaffold.write("mutation", MUTATION, folder))
    templates = resources.files("fooldeap.data") / "templates"
    for name, template in _FILES.items():  # the experiment last: it needs the others
        write_whole(folder / name, (templates / template).read_bytes())
        written.append(folder / name)
    return written
