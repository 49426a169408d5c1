"""Write the files of a first experiment to an empty folder: an experiment, a plugin with its test, and a README."""

from importlib import resources
from pathlib import Path

from fooldeap.errors import InputError
from fooldeap.scaffolding import plugin_file
from fooldeap.storage.files import write_whole
from fooldeap.storage.inputs import read

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
    templates = resources.files("fooldeap.data") / "templates"
    files = dict(plugin_file.contents("mutation", MUTATION, folder))
    files |= {folder / name: (templates / template).read_bytes() for name, template in _FILES.items()}
    for name in names:  # an interrupted command leaves some of the files
        path = folder / name
        if path not in files or not path.is_file() or read(path) != files[path]:
            raise InputError(f"{folder}: already contains {name!r}; name a new or an empty folder: fooldeap init DIR")
    for path, content in files.items():  # the experiment is written last, because it needs the other files
        write_whole(path, content)
    return list(files)
