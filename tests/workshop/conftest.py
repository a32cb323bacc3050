"""What the tests of the workshop share."""

import pytest

from course_utils.workshop import lint


@pytest.fixture(autouse=True)
def no_chapter_is_carried_over(monkeypatch):
    """The small chapter is numbered 02 and as short as can be; tests of the second edition's rules say so themselves."""
    monkeypatch.setattr(lint, "CARRIED_OVER", ())


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder for notebooks that the commands use instead of the course's."""
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(tmp_path / "notebooks"))
    return tmp_path / "notebooks"
