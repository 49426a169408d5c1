"""Write the files of a first experiment to an empty folder: an experiment, a plugin with its test, and a README."""

from importlib import resources
from pathlib import Path

from fooldeap.errors import InputError
from fooldeap.scaffolding import plugin_file
from fooldeap.storage.files import write_whole

MUTATION = "my_mutation"
_FILES = {"README.md": "experiment_folder.md.txt", "experiment.yaml": "experiment_folder.yaml.txt"}


def write(folder: Path) -> list[Path]:
    """Write the files to a new or empty folder and return their paths.

    Files whose names start with a dot are ignored, so the folder may contain a repository or an environment.

    Raises
    ------
    InputError
        The folder is not empty or cannot be created. Nothing was written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); name a new or an empty folder") from None
    if names:
        raise InputError(f"{folder}: already contains {names[0]!r}; name a new or an empty folder: fooldeap init DIR")
    written = list(plugin_file.write("mutation", MUTATION, folder))
    templates = resources.files("fooldeap.data") / "templates"
    for name, template in _FILES.items():  # the experiment is written last, because it needs the other files
        write_whole(folder / name, (templates / template).read_bytes())
        written.append(folder / name)
    return written
