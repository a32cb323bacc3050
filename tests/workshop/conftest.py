"""What the tests of the workshop share."""

import pytest


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder for notebooks that the commands use instead of the course's."""
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(tmp_path / "notebooks"))
    return tmp_path / "notebooks"
