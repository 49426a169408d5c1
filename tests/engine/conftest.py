import pytest

from fooldeap.runs import worker_task


@pytest.fixture
def small_memory(monkeypatch):
    """Let small experiments count as large, so that they keep log and snapshots in files."""
    monkeypatch.setattr(worker_task, "MOST_IN_MEMORY", 20)
