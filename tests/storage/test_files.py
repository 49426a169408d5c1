"""Files that are written while a run works."""

import shutil

import pytest

from fooldeap.storage.files import Appended, FileError


@pytest.mark.parametrize("write", [lambda file: file.append(b"more"), lambda file: file.overwrite(b"less", 0)])
def test_a_removed_file_cannot_be_written(tmp_path, write):
    folder = tmp_path / "run"
    folder.mkdir()
    file = Appended(folder / "queries.csv")
    file.append(b"head\n")
    shutil.rmtree(folder)
    with pytest.raises(FileError, match=r"queries\.csv: cannot be written \(it was removed\); restore its folder"):
        write(file)
